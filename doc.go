// Package unspoof is empty. The root of the repository holds only the house test
// (house_test.go), which checks the rules of ARCHITECTURE.md against the code: who may import
// whom, and why; that every package says what it is for; that no file or package grows beyond
// reading. The program is in cmd/unspoof.
package unspoof
