// Package javaregex runs regular expressions that people wrote for java.util.regex.
//
// The one idea: a pattern is parsed by Java's grammar and written again in a syntax that both of Go's engines
// read in one way: every class as its ranges, every flag expanded, groups by number. What RE2 can run runs there,
// in linear time; lookaround, atomic groups, possessive quantifiers and backreferences run on a backtracking
// engine, with Java's cost.
//
// It is meant for names of topics: ^ and $ are the ends of the text, since a name has no line terminators.
// Refused by Compile, with the reason: \G, \R, \X, \N{...}, \b{g}, the flags x and U, blocks (\p{InGreek}) and
// java.lang.Character classes (\p{javaLowerCase}). Unicode classes are those of Go's Unicode version.
package javaregex
