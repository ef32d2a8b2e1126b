// Package synth writes a synthetic seizure: the database dump of an invented caller-ID-
// spoofing service, the lists that investigators put beside it, and the truth of both. Demo,
// tests and benchmarks live on it; the formats are in docs/formats/seizure.md.
//
// A world is shaped by the published figures of the reference case, times a scale: at scale 1
// it has 59,000 accounts and 70 million rows. It depends on scale and seed alone, so one pair
// names one seizure everywhere. Every row is a function of the world and of its own ordinal,
// with draws of its own, so tables are made in parallel and never held in memory.
//
// The truth is what the generator meant when it made a row, not what rules find in it. What
// is meant keeps to the evidence ladder and to the definitions in docs/figures.md, so that
// rules which follow them arrive at the truth, and rules which do not are found out: at cut-
// offs, clock changes, validity dates, spellings, staff tests, coins that are not bitcoin.
//
// People, institutions' numbers and prices are invented. Up to scale 0.01 all British
// numbers are from the ranges Ofcom keeps for drama; above it the called ones are from
// blocks without a provider. Foreign ones are kept for fiction by their regulators or, above
// scale 0.01 in America, lie in area codes that do not exist.
//
// Limits: a called person is called by anyone at any time, repeats apart, so target lists do
// not show in the calls; there is one SIP line an account; nothing is deleted or corrupted.
//
// The package is long because much of it is facts: the platform's wide tables, number ranges,
// names, institutions. The logic is in the files named first below.
//
// Reading order: synth.go (Write), world.go (what is decided first, and a call), present.go
// (what a call shows and its grade), accounts.go and payments.go, tables_*.go (rows), dump.go
// and row.go (mariadb-dump's format), reports.go (losses), truth.go (figures).
package synth
