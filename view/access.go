package view

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// policy is the Content-Security-Policy: only the files of the page, and
// requests to its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// protect lets only requests through that have the token and come from the page
// or from no page.
func (s *Server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !loopbackHost(r.Host) {
			refuse(w, "the page is at localhost or 127.0.0.1 only", http.StatusForbidden)
			return
		}
		// The link that the command prints. The token then becomes a cookie, so
		// that it is not in the address bar.
		if token := r.URL.Query().Get("token"); r.Method == http.MethodGet && r.URL.Path == "/" && s.valid(token) {
			http.SetCookie(w, &http.Cookie{
				Name: s.cookie(), Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
			})
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		// Another page cannot send this header.
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && s.valid(bearer) {
			next.ServeHTTP(w, r)
			return
		}
		if c, err := r.Cookie(s.cookie()); err != nil || !s.valid(c.Value) {
			refuse(w, "the token is missing or wrong; open the URL that udrm printed, or print it again: udrm view", http.StatusUnauthorized)
			return
		}
		if !samePage(r) {
			refuse(w, "the request comes from another page", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusedBody is how long the server waits for the body of a request that it
// refuses. Package http reads it, without a limit of time, before it answers.
const refusedBody = time.Second

// refuse answers a client that may be any user of the computer. It must not keep the
// connection for as long as it likes.
func refuse(w http.ResponseWriter, reason string, status int) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBody))
	http.Error(w, reason, status)
}

// cookie returns the name of the cookie. Browsers send a cookie to all ports of
// a host, so each port has a name of its own.
func (s *Server) cookie() string {
	_, port, _ := net.SplitHostPort(s.Address())
	return "udrm-view-" + port
}

func (s *Server) valid(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}

// loopbackHost reports whether a Host header names the loopback interface. Its
// port can be another one, with ssh -L.
func loopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// samePage reports whether the page itself has sent a request that has its
// cookie. Reading needs no Origin: browsers send none, and keep the answer from
// other pages.
func samePage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return r.Method == http.MethodGet && r.URL.Path == "/"
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin == "http://"+r.Host
	}
	return r.Method == http.MethodGet && r.URL.Path != "/watch"
}
