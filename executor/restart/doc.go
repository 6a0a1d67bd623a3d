// Package restart decides whether and when a unit that failed is started again by itself: the keys sluice.restart.* of a
// connector's config.
//
// The one idea: a unit has a budget of attempts. Each failure of a class that the config names takes one, and the wait
// before it doubles; a run that lasts long enough refills the budget. Everything here is pure: the supervisor owns the
// clock, and the status that stays FAILED between attempts.
package restart
