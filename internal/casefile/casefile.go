// Package casefile holds the nouns of a case and their small values. Every other
// package speaks in these words; this one imports nothing of ours.
//
// A source is one sealed file, named by the SHA-256 of its content ([SourceID]).
// A row reference ([RowRef]) is the address of one original row inside a source: the
// source table it belongs to, its ordinal in that table and the byte offset at which its
// text begins. Telephone numbers are E.164 digits without the plus sign ([E164]); Bitcoin
// amounts are integer satoshis ([Sats]); fiat amounts are integer minor units ([Minor])
// beside an ISO 4217 code. A call's verdict carries a [Grade].
//
// Reading order: ref.go (addresses), value.go (numbers and money), grade.go (the evidence
// ladder), problem.go (errors that say where).
package casefile
