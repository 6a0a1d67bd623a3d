package httpsource

import (
	"net/http"
	"strconv"
	"time"
)

// after is when the next listing begins. news says that the last one had new records, latest the timestamp of the last of them.
func (s *settings) after(now time.Time, news bool, latest time.Time) time.Time {
	if s.schedule != nil {
		return s.schedule.Next(now.In(s.zone))
	}
	wait := s.interval(intervalKey, oldIntervalKey, defaultInterval)
	if s.String(timerKey) == adaptableTimer && news && latest.Before(now.Add(-wait)) {
		wait = s.interval(catchUpKey, oldCatchUpKey, defaultCatchUp)
	}
	return now.Add(wait)
}

// first is when a task begins.
func (s *settings) first(now time.Time) time.Time {
	if s.schedule != nil {
		return s.schedule.Next(now.In(s.zone))
	}
	return now
}

// gap is the shortest time between two requests.
func (s *settings) gap() time.Duration {
	perSecond := s.Double(rateKey)
	if perSecond <= 0 {
		return 0
	}
	return time.Duration(min(float64(time.Second)/perSecond, float64(longestWait)))
}

// backoff is the pause after that many failures in a row.
func (s *settings) backoff(failures int) time.Duration {
	wait, most := milliseconds(s.Values, backoffKey), milliseconds(s.Values, backoffMaxKey)
	for ; failures > 1 && wait < most; failures-- {
		wait *= 2
	}
	return min(wait, most)
}

// retryAfter is how long a server asks to wait, and whether it does.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, int64(longestWait/time.Second)))*time.Second, longestWait), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestWait), true
	}
	if !exhausted(h) {
		return 0, false
	}
	// As GitHub and others have it: the second at which requests are counted anew.
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && at > 1e9 {
		return min(max(time.Unix(at, 0).Sub(now), 0), longestWait), true
	}
	return 0, false
}

// exhausted says whether an answer says that the requests of a time have been used up.
func exhausted(h http.Header) bool { return h.Get("X-RateLimit-Remaining") == "0" }
