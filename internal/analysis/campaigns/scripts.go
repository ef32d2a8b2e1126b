package campaigns

import (
	"cmp"
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/unspoof/unspoof/internal/analysis/step"
	"github.com/unspoof/unspoof/internal/store"
	"github.com/unspoof/unspoof/internal/store/duckdb"
)

// The two levels of likeness, as containment: the share of the weight of the shorter text's
// shingles that the longer one has too. Chosen on one half of the texts of docs/campaigns.md.
const (
	sameRecording = 0.80
	sameScript    = 0.40
)

// Group says where one text belongs. Family and Recording name the text that stands for them:
// the fullest. Like is the text it was found to be like, -1 for one that begins its family.
type Group struct {
	Family, Recording int
	Like              int
	Containment       float64 // of the shorter of the two in the other
}

// shingle is a hash of three words in a row.
type shingle uint64

const shingleWords = 3

// GroupTexts sorts texts into scripts and, in these, recordings. names are names of
// institutions, which differ between texts of one script. Texts may be cut at either end,
// repeated in a loop, or written down by a speech recogniser.
//
// Each text is compared with the texts that stand for the recordings so far, the longest texts
// first, and joins the one that contains most of it. A text that stands for nothing joins no
// others, so there are no long chains of likenesses. A shingle's weight is its rarity among
// distinct texts, so that what many scripts say ("press one to speak with") counts little.
//
// Memory is a few times that of the texts. Only texts that stand for something are indexed,
// and a text is compared with those only that share a shingle with it.
func GroupTexts(texts, names []string) []Group {
	type distinct struct {
		shingles []shingle
		of       []int // texts with these words
	}
	mask := newMask(names)
	byWords := map[string]int{}
	var list []distinct
	groups := make([]Group, len(texts))
	for i, t := range texts {
		words := mask.words(t)
		if len(words) == 0 {
			groups[i] = Group{i, i, -1, 1} // nothing to compare
			continue
		}
		k := strings.Join(words, " ")
		d, ok := byWords[k]
		if !ok {
			d = len(list)
			byWords[k] = d
			list = append(list, distinct{shingles: shingles(words)})
		}
		list[d].of = append(list[d].of, i)
	}
	rarity := map[shingle]float64{}
	for _, d := range list {
		for _, s := range d.shingles {
			rarity[s]++
		}
	}
	for s, n := range rarity {
		rarity[s] = math.Log(1 + float64(len(list))/n)
	}
	weight := func(of []shingle) (w float64) {
		for _, s := range of {
			w += rarity[s]
		}
		return w
	}
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(len(list[y].shingles), len(list[x].shingles)) })
	stand := newIndex() // texts that stand for a recording
	for _, k := range order {
		d := &list[k]
		own := d.of[0]
		w := weight(d.shingles)
		g := Group{own, own, -1, 1}
		if r, shared := stand.best(d.shingles, rarity); shared >= sameScript*w {
			g = Group{groups[r].Family, own, r, shared / w}
			if shared >= sameRecording*w {
				g.Recording = groups[r].Recording
			}
		}
		if g.Recording == own {
			stand.add(own, d.shingles)
		}
		for _, i := range d.of {
			groups[i] = g
			if i != own { // the same words
				groups[i].Like, groups[i].Containment = own, 1
			}
		}
	}
	return groups
}

// index finds, among texts that stand for something, the one that has most in common with
// another.
type index struct {
	of map[shingle][]int32
	at []int // text of each entry
}

func newIndex() *index { return &index{of: map[shingle][]int32{}} }

func (x *index) add(text int, of []shingle) {
	n := int32(len(x.at))
	x.at = append(x.at, text)
	for _, s := range of {
		x.of[s] = append(x.of[s], n)
	}
}

// best gives the text with the greatest weight in common, the first among equals.
func (x *index) best(of []shingle, rarity map[shingle]float64) (text int, shared float64) {
	sums := map[int32]float64{}
	for _, s := range of {
		for _, n := range x.of[s] {
			sums[n] += rarity[s]
		}
	}
	best := int32(-1)
	for n, w := range sums {
		if w > shared || w == shared && n < best {
			best, shared = n, w
		}
	}
	if best < 0 {
		return -1, 0
	}
	return x.at[best], shared
}

// mask makes texts of one script alike: it takes what differs in them for one and the same.
type mask struct{ names map[string][][]string } // by the first word

func newMask(names []string) *mask {
	m := &mask{map[string][][]string{}}
	for _, n := range names {
		if w := plainWords(n); len(w) > 0 {
			m.names[w[0]] = append(m.names[w[0]], w)
		}
	}
	for _, list := range m.names {
		slices.SortFunc(list, func(x, y []string) int { return len(y) - len(x) }) // the longest first
	}
	return m
}

// words are the words of a text in lower case; a number, a sum of money or a run of them is
// "#", an institution's name "@".
func (m *mask) words(text string) []string {
	in := plainWords(text)
	var out []string
	for i := 0; i < len(in); {
		w, n := in[i], 1
		for _, name := range m.names[w] {
			if len(in)-i >= len(name) && slices.Equal(in[i:i+len(name)], name) {
				w, n = "@", len(name)
				break
			}
		}
		if numberWords[w] || unicode.IsDigit(rune(w[0])) {
			w = "#"
		}
		if len(out) == 0 || out[len(out)-1] != w || w != "#" && w != "@" {
			out = append(out, w)
		}
		i += n
	}
	return out
}

// numberWords are what numbers and sums are spoken with.
var numberWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
		seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
		pound pounds pence penny dollar dollars cent cents euro euros`) {
		m[w] = true
	}
	return m
}()

func plainWords(s string) []string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’' || unicode.Is(unicode.Mn, r): // we're, were
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

// shingles are the distinct runs of three words, in order; all words of a shorter text.
func shingles(words []string) []shingle {
	n := max(1, len(words)-shingleWords+1)
	out := make([]shingle, 0, n)
	seen := make(map[shingle]bool, n)
	for i := range n {
		h := fnv.New64a()
		for _, w := range words[i:min(len(words), i+shingleWords)] {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		if s := shingle(h.Sum64()); !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// groupScripts fills the temporary table script_group with where every script with a text
// belongs.
func groupScripts(ctx context.Context, _ *store.Case, e *duckdb.Engine) error {
	var names, ids, texts []string
	err := step.Each(ctx, e, "SELECT name || ';' || coalesce(aliases, ''), '' FROM institution ORDER BY institution_id", func(list, _ string) {
		names = append(names, strings.Split(list, ";")...)
	})
	if err != nil {
		return err
	}
	if err := step.Each(ctx, e, "SELECT script_id, text FROM script WHERE text IS NOT NULL ORDER BY script_id", func(id, text string) {
		ids, texts = append(ids, id), append(texts, text)
	}); err != nil {
		return err
	}
	var rows [][]string
	for i, g := range GroupTexts(texts, names) {
		like := ""
		if g.Like >= 0 {
			like = ids[g.Like]
		}
		rows = append(rows, []string{ids[i], ids[g.Family], ids[g.Recording], like, strconv.FormatFloat(g.Containment, 'f', 4, 64)})
	}
	return step.Fill(ctx, e, "script_group", []string{"script_id", "family_of", "recording_of", "compared_with", "containment DOUBLE"}, rows)
}
