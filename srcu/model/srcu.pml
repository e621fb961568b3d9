/*
 * The algorithm of package srcu, for spin.
 *
 * One stripe, so two words: stripes do not know of each other, and a waiter looks at
 * one word at a time anyway. Each atomic operation of the Go code is one step here;
 * Go's are sequentially consistent, so interleaving them is all that can happen.
 * Names are those of the Go code.
 *
 * The processes: READERS readers, each of which enters and exits SECTIONS times;
 * SYNCS callers of Synchronize, PERIODS times each; CLOSERS callers of Close and
 * Drain. CANCELS waits, in all, may end because their context does; a cancelled
 * Drain is called again.
 *
 * What is checked:
 *   - Synchronize returns when no section is open that was open at the call;
 *   - Drain returns when no section is open, and none begins after it;
 *   - an Enter that begins after Close returned fails;
 *   - nobody waits for ever: spin reports a state in which some process cannot go on
 *     and is not at its end.
 *
 * Mutants, each a way to get it wrong, to be defined with -D: NO_PREDRAIN,
 * NO_CLOSED_BIT, NO_WAKE, AND_NOT_CAS, CLEAR_CLOSED, STALE_SHARE.
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

/* the state word */
bit index = 0;
bit closed = 0;

/* a word; the count cannot go below zero here, Exit being called once per Enter */
typedef Word {
	bit attention;
	bit closed;
	bit drained;
	byte count
};
Word word[2];

/* waiting */
bit lead = 1;		/* the token is in the channel */
bit wake = 0;		/* a token is in the channel */
byte begun = 0;
byte done = 0;
byte cancels = CANCELS;

/* what is only for checking */
bit closeReturned = 0;
bit drainReturned = 0;
byte open = 0;		/* bit i: reader i is in a section */
byte missed[2];		/* bit i: reader i is in a section that the caller's grace period must wait for */

#define NEGATIVE(w)	(word[w].attention)
#define IDLE(w)		(word[w].count == 0 || word[w].drained)

/* The rest of an exit. It judges the value that it left behind, then swaps. */
inline exited(w, vclosed, vdrained, vcount) {
	do
	:: (vcount != 0 || vdrained) -> break
	:: else ->
#ifdef AND_NOT_CAS
		if
		:: vclosed -> word[w].drained = 1
		:: else -> word[w].attention = 0
		fi;
		wake = 1;
		break
#else
		d_step {
			if
			:: word[w].count == 0 && NEGATIVE(w) && word[w].closed == vclosed && !word[w].drained ->
				if
				:: vclosed ->
					word[w].drained = 1;
#ifdef CLEAR_CLOSED
					word[w].attention = 0
#endif
				:: else -> word[w].attention = 0
				fi;
				swapped = 1
			:: else -> swapped = 0
			fi
		};
		if
		:: swapped ->
#ifndef NO_WAKE
			wake = 1;
#endif
			break
		:: else ->
			d_step {
				vclosed = word[w].closed;
				vdrained = word[w].drained;
				vcount = word[w].count;
				if
				:: !NEGATIVE(w) -> vcount = 1	/* not ours any more: leave */
				:: else -> skip
				fi
			}
		fi
#endif
	od;
	skip	/* spin does not let a break lead into a d_step */
}

inline exit(w) {
	d_step {
		word[w].count--;
		negative = NEGATIVE(w);
		vclosed = word[w].closed;
		vdrained = word[w].drained;
		vcount = word[w].count
	};
	if
	:: negative -> exited(w, vclosed, vdrained, vcount)
	:: else -> skip
	fi
}

proctype Reader(byte i) {
	bit w, negative, vclosed, vdrained, swapped, late, in;
	byte vcount, n;

	n = 0;
	do
	:: n == SECTIONS -> break
	:: else ->
		n++;
		/* Enter */
		d_step {
			late = closeReturned;
			w = index;
			in = !closed
		};
		if
		:: !in -> skip
		:: else ->
			d_step {
				word[w].count++;
				negative = NEGATIVE(w);
				if
				:: !negative -> open = open | (1 << i)
				:: else -> skip
				fi
			};
			if
			:: negative ->
				d_step {
					in = !word[w].closed;
					if
					:: in -> open = open | (1 << i)
					:: else -> skip
					fi
				}
			:: else -> skip
			fi;
			if
			:: in ->
				d_step {
					assert(!late);
					assert(!drainReturned)
				};
				/* the section; it ends before the first step of Exit */
				d_step {
					assert(!drainReturned);
					open = open & ~(1 << i);
					missed[0] = missed[0] & ~(1 << i);
					missed[1] = missed[1] & ~(1 << i)
				}
			:: else -> skip
			fi;
			exit(w)
		fi;
		d_step { w = 0; negative = 0; vclosed = 0; vdrained = 0; swapped = 0; late = 0; in = 0; vcount = 0 }
	od
}

/* Waits for one word; failed becomes 1 if the context ended first. */
inline await(w) {
	do
	:: atomic { IDLE(w) -> break }
	/* from here on it did not look idle: Or(attention), which returns the old value */
	:: atomic { IDLE(w) -> word[w].attention = 1; break }
	:: atomic { !IDLE(w) -> word[w].attention = 1 };
		if
		:: atomic { wake -> wake = 0 }
		:: atomic { cancels > 0 -> cancels--; failed = 1; break }
		fi
	od
}

#define TAKELEAD \
	if \
	:: atomic { lead -> lead = 0 } \
	:: atomic { cancels > 0 -> cancels--; failed = 1 } \
	fi

/* Reads words one after the other, and stops at the first that is not idle. */
#define ALLIDLE \
	allidle = 0; \
	if \
	:: atomic { IDLE(0) -> skip }; \
		if \
		:: atomic { IDLE(1) -> allidle = 1 } \
		:: atomic { !IDLE(1) -> skip } \
		fi \
	:: atomic { !IDLE(0) -> skip } \
	fi

proctype Synchronize(byte i) {
	bit failed, allidle, old, other;
	byte newest, ordinal, n;

	n = 0;
	do
	:: n == PERIODS -> break
	:: else ->
		n++;
		failed = 0;
		d_step {
			missed[i] = open;
			newest = begun
		};
		ALLIDLE;
		if
		:: allidle -> skip
		:: else ->
			TAKELEAD;
			if
			:: failed -> skip
			:: else ->
				if
#ifdef STALE_SHARE
				:: done >= newest -> skip
#else
				:: done > newest -> skip
#endif
				:: else ->
					d_step { begun++; ordinal = begun };
					d_step { old = index; other = 1 - index };
#ifndef NO_PREDRAIN
					await(other);
#endif
					if
					:: failed -> skip
					:: else ->
						index = other;
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
			assert(failed || missed[i] == 0);
			missed[i] = 0;
			allidle = 0; old = 0; other = 0; newest = 0; ordinal = 0
		}
	od
}

inline CloseWords() {
	d_step {
		word[0].attention = 1;
#ifndef NO_CLOSED_BIT
		word[0].closed = 1
#endif
	};
	d_step {
		word[1].attention = 1;
#ifndef NO_CLOSED_BIT
		word[1].closed = 1
#endif
	}
}

proctype Closer() {
	bit failed, allidle;

	closed = 1;
	CloseWords();
	closeReturned = 1;
	do
	:: true ->
		failed = 0;
		/* Drain */
		CloseWords();
		ALLIDLE;
		if
		:: allidle -> skip
		:: else ->
			TAKELEAD;
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
		failed = 0; allidle = 0
	}
}

init {
	byte i;
	atomic {
		i = 0;
		do
		:: i < READERS -> run Reader(i); i++
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
