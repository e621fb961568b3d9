/*
 * The algorithm of package srcu with the build tag srcu_membarrier, for spin.
 *
 * Each reader is a thread with a store buffer, as on x86: a plain store goes into the
 * buffer and comes to memory some time later, in order (process Memory); a load takes
 * the newest store of its own buffer, or memory. Loads and stores are otherwise in the
 * order of the program. Locked instructions empty the buffer. Waiters use nothing else
 * for what they write, so they need none. membarrier(2) empties the buffers of all
 * threads, one after the other in any order, while everybody goes on.
 *
 * There are 2 Ps, each with a slot, and SHARED (0 or 1) slots for the Ps that came
 * later. A reader takes either P for each increment, and has it alone while it is
 * pinned. A thread that is given a P, and one that leaves a P, has been through the
 * scheduler, whose locked instructions empty its buffer.
 *
 * Otherwise as srcu.pml, whose text explains the processes, the parameters, and what
 * is checked. A section is open from the load of the state that let it in to the
 * store of its exit: what it loads comes after the one, and what it did comes to
 * memory before the other.
 *
 * Mutants: NO_MEMBARRIER, NO_FIRST_BARRIER, NO_ATTENTION_BARRIER, ENTERS_FIRST, NO_SPLIT (one count,
 * that an exit subtracts from on the P where it is), EXIT_WHERE_ENTERED (an exit adds
 * to the slot of the enter, which may be another P's by now), NOT_PINNED, NO_RECHECK.
 */

#ifndef READERS
#define READERS 2
#endif
#ifndef SECTIONS
#define SECTIONS 1
#endif
#ifndef SYNCS
#define SYNCS 1
#endif
#ifndef PERIODS
#define PERIODS 1
#endif
#ifndef CLOSERS
#define CLOSERS 1
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef SHARED
#define SHARED 0
#endif

#define PS	2
#define SLOTS	(PS + SHARED)

/* memory: the state, the index words, and the counts of the slots */
bit index = 0;
bit closed = 0;
bit attention[2];
byte count[12];
#define ENTERS(slot, i)	((slot) * 4 + (i) * 2)
#define EXITS(slot, i)	((slot) * 4 + (i) * 2 + 1)

/* store buffers; the Ps */
typedef Buffer {
	byte length;
	byte at[4];
	byte value[4]
};
Buffer buffer[READERS];
byte holder[PS] = READERS;	/* who was pinned to it last */
byte on[READERS] = PS;		/* what he was pinned to last */

/* waiting */
bit lead = 1;
bit wake = 0;
byte begun = 0;
byte done = 0;
byte cancels = CANCELS;

/* what is only for checking */
bit closeReturned = 0;
bit drainReturned = 0;
byte open = 0;
byte missed[2];

/* The oldest store of the buffer comes to memory. To be used within a d_step. */
inline settle(r) {
	count[buffer[r].at[0]] = buffer[r].value[0];
	buffer[r].at[0] = buffer[r].at[1]; buffer[r].value[0] = buffer[r].value[1];
	buffer[r].at[1] = buffer[r].at[2]; buffer[r].value[1] = buffer[r].value[2];
	buffer[r].at[2] = buffer[r].at[3]; buffer[r].value[2] = buffer[r].value[3];
	buffer[r].at[3] = 0; buffer[r].value[3] = 0;
	buffer[r].length--
}

inline flush(r) {
	do
	:: buffer[r].length > 0 -> settle(r)
	:: else -> break
	od
}

proctype Memory(byte r) {
end:	do
	:: d_step { buffer[r].length > 0 -> settle(r) }
	od
}

/* A load of the thread r, into value. To be used within a d_step. */
inline load(r, where) {
	value = count[where];
	k = 0;
	do
	:: k < buffer[r].length ->
		if
		:: buffer[r].at[k] == where -> value = buffer[r].value[k]
		:: else -> skip
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline store(r, where, what) {
	buffer[r].at[buffer[r].length] = where;
	buffer[r].value[buffer[r].length] = what;
	buffer[r].length++
}

/* r is given the P p. To be used within a d_step. */
inline schedule(r, p) {
	if
	:: on[r] != p -> flush(r)
	:: else -> skip
	fi;
	if
	:: holder[p] != r && holder[p] != READERS -> flush(holder[p])
	:: else -> skip
	fi;
	on[r] = p;
	holder[p] = r
}

/*
 * Adds what to a count: locked in the shared slot, else a plain load and a plain store.
 * From pinning to unpinning is one step: nobody else uses that P then, and what happens
 * elsewhere meanwhile might as well happen before or after.
 */
inline add(r, p, where, what) {
	if
	:: p >= PS ->
		flush(r);
		count[where] = count[where] + what
	:: else ->
		schedule(r, p);
		load(r, where);
		store(r, where, value + what);
		value = 0
	fi
}

/* The same for mutants that do not have the P to themselves. */
inline addUnpinned(r, p, where, what) {
	d_step { schedule(r, p) };
	d_step { load(r, where) };
	d_step { store(r, where, value + what); value = 0 }
}

inline choose(p) {
	if
	:: p = 0
	:: p = 1
#if SHARED
	:: p = 2
#endif
	fi
}

/* The last step of a section is the store of its exit. */
inline leave(r) {
	if
	:: in ->
		assert(!drainReturned);
		open = open & ~(1 << r);
		missed[0] = missed[0] & ~(1 << r);
		missed[1] = missed[1] & ~(1 << r)
	:: else -> skip
	fi
}

inline exit(r, w) {
#ifdef EXIT_WHERE_ENTERED
	d_step { load(r, EXITS(p, w)) };
	d_step { leave(r); store(r, EXITS(p, w), value + 1); value = 0 };
#else
	choose(p);
#ifdef NOT_PINNED
	d_step { leave(r) };
	addUnpinned(r, p, EXITS(p, w), 1);
#else
#ifdef NO_SPLIT
	d_step { leave(r); add(r, p, ENTERS(p, w), 255) };
#else
	d_step { leave(r); add(r, p, EXITS(p, w), 1) };
#endif
#endif
#endif
	if
	:: attention[w] -> d_step { flush(r); wake = 1 }
	:: else -> skip
	fi
}

proctype Reader(byte r) {
	bit w, late, in;
	byte p, value, k, n;

	n = 0;
	do
	:: n == SECTIONS -> break
	:: else ->
		n++;
		d_step {
			late = closeReturned;
			w = index;
			in = !closed
		};
		if
		:: !in -> skip
		:: else ->
			choose(p);
#ifdef NOT_PINNED
			addUnpinned(r, p, ENTERS(p, w), 1);
#else
			d_step { add(r, p, ENTERS(p, w), 1) };
#endif
			d_step {
#ifndef NO_RECHECK
				in = !closed;
#endif
				if
				:: in ->
					assert(!late);
					assert(!drainReturned);
					open = open | (1 << r)
				:: else -> skip
				fi
			};
			exit(r, w)
		fi;
		d_step { w = 0; late = 0; in = 0; p = 0 }
	od
}

inline barrier() {
#ifndef NO_MEMBARRIER
	left = (1 << READERS) - 1;
	do
	:: left == 0 -> break
	:: d_step { left & 1 -> flush(0); left = left & ~1 }
#if READERS > 1
	:: d_step { left & 2 -> flush(1); left = left & ~2 }
#endif
#if READERS > 2
	:: d_step { left & 4 -> flush(2); left = left & ~4 }
#endif
	od
#else
	skip
#endif
}

/* The one before looking, as opposed to the one between asking for attention and looking. */
inline firstBarrier() {
#ifndef NO_FIRST_BARRIER
	barrier()
#else
	skip
#endif
}

/* One load of a waiter. */
#define TAKE(sum, where)	sum = sum + count[where]
#if SHARED
#define SUM(sum, of, i)	TAKE(sum, of(2, i)); TAKE(sum, of(0, i)); TAKE(sum, of(1, i))
#else
#define SUM(sum, of, i)	TAKE(sum, of(0, i)); TAKE(sum, of(1, i))
#endif

/* idle becomes whether the index was seen idle. */
inline look(i) {
	enters = 0; exits = 0;
#ifdef ENTERS_FIRST
	SUM(enters, ENTERS, i);
	SUM(exits, EXITS, i);
#else
	SUM(exits, EXITS, i);
	SUM(enters, ENTERS, i);
#ifndef NO_SPLIT
	assert(exits <= enters);
#endif
#endif
	d_step { idle = (enters == exits); enters = 0; exits = 0 }
}

/* failed becomes 1 if the context ended first. */
inline await(i) {
	firstBarrier();
	look(i);
	if
	:: idle -> skip
	:: else ->
		attention[i] = 1;
#ifndef NO_ATTENTION_BARRIER
		barrier();
#endif
		do
		:: true ->
			look(i);
			if
			:: idle -> break
			:: else ->
				if
				:: d_step { wake -> wake = 0 }
				:: atomic { cancels > 0 -> cancels--; failed = 1; break }
				fi
			fi
		od;
		attention[i] = 0
	fi
}

inline takeLead() {
	if
	:: d_step { lead -> lead = 0 }
	:: d_step { cancels > 0 -> cancels--; failed = 1 }
	fi
}

inline allIdle() {
	firstBarrier();
	look(0);
	if
	:: idle -> look(1)
	:: else -> skip
	fi
}

proctype Synchronize(byte s) {
	bit failed, idle, old;
	byte newest, ordinal, n, left, enters, exits;

	n = 0;
	do
	:: n == PERIODS -> break
	:: else ->
		n++;
		d_step {
			failed = 0;
			missed[s] = open;
			newest = begun
		};
		allIdle();
		if
		:: idle -> skip
		:: else ->
			takeLead();
			if
			:: failed -> skip
			:: else ->
				if
				:: done > newest -> skip
				:: else ->
					d_step { begun++; ordinal = begun; old = index };
					await(1 - old);
					if
					:: failed -> skip
					:: else ->
						index = 1 - old;
						await(old);
						if
						:: failed -> skip
						:: else -> done = ordinal
						fi
					fi
				fi;
				lead = 1
			fi
		fi;
		d_step {
			assert(failed || missed[s] == 0);
			missed[s] = 0;
			idle = 0; old = 0; newest = 0; ordinal = 0
		}
	od
}

proctype Closer() {
	bit failed, idle;
	byte left, enters, exits;

	d_step { closed = 1; closeReturned = 1 };
	do
	:: true ->
		failed = 0;
		allIdle();
		if
		:: idle -> skip
		:: else ->
			takeLead();
			if
			:: failed -> skip
			:: else ->
				await(0);
				if
				:: failed -> skip
				:: else -> await(1)
				fi;
				lead = 1
			fi
		fi;
		if
		:: failed -> skip
		:: else -> break
		fi
	od;
	skip;
	d_step {
		assert(open == 0);
		drainReturned = 1;
		failed = 0; idle = 0
	}
}

init {
	byte i;
	atomic {
		i = 0;
		do
		:: i < READERS -> run Reader(i); run Memory(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < SYNCS -> run Synchronize(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < CLOSERS -> run Closer(); i++
		:: else -> break
		od;
		i = 0
	}
}
