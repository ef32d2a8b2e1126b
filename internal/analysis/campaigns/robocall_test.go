package campaigns

import (
	"encoding/csv"
	"errors"
	"hash/fnv"
	"io/fs"
	"os"
	"testing"
)

// transcripts are texts of real recorded robocalls (NCSU robocall data, public domain), as a
// speech recogniser wrote them down.
const transcripts = "../../../../shared/data/telecom/robocall_transcripts_dev.csv"

// TestRobocalls measures both levels on the English transcripts, against testdata/
// robocall_scripts.csv: which script each is of, and which recording, as one reader took them
// who had the texts laid out by common words (the file of transcripts names no clusters).
// Scripts are in one half or the other by a hash; the thresholds were chosen on the first.
func TestRobocalls(t *testing.T) {
	text := readCSV(t, transcripts)
	if text == nil {
		t.Skip("no ", transcripts)
	}
	said := map[string]string{}
	for _, r := range text[1:] {
		said[r[0]] = r[2]
	}
	var texts, scripts, recordings []string
	for _, r := range readCSV(t, "testdata/robocall_scripts.csv")[1:] {
		s, ok := said[r[0]]
		if !ok {
			t.Fatalf("no transcript of %s", r[0])
		}
		texts, scripts, recordings = append(texts, s), append(scripts, r[1]), append(recordings, r[2])
	}
	groups := GroupTexts(texts, nil)
	for half, name := range []string{"first half", "second half"} {
		var family, script, found, recording []string
		for i, g := range groups {
			h := fnv.New32a()
			h.Write([]byte(scripts[i]))
			if int(h.Sum32()>>4)%2 != half {
				continue
			}
			family, script = append(family, texts[g.Family]+"\x00"+scripts[g.Family]), append(script, scripts[i])
			found, recording = append(found, texts[g.Recording]+"\x00"+recordings[g.Recording]), append(recording, recordings[i])
		}
		for _, x := range []struct {
			what        string
			found, true []string
			floor       float64
		}{{"scripts", family, script, 0.88}, {"recordings", found, recording, 0.80}} {
			p, r := bCubed(x.found, x.true)
			f := 2 * p * r / (p + r)
			t.Logf("%s, %s: %d texts, B-cubed precision %.3f, recall %.3f, F1 %.3f", name, x.what, len(x.found), p, r, f)
			if f < x.floor {
				t.Errorf("%s, %s: F1 %.3f, needs %.2f", name, x.what, f, x.floor)
			}
		}
	}
}

// bCubed averages over texts the share of the text's found group that is of its true group,
// and the other way round.
func bCubed(found, truth []string) (precision, recall float64) {
	both, f, t := map[[2]string]float64{}, map[string]float64{}, map[string]float64{}
	for i := range found {
		both[[2]string{found[i], truth[i]}]++
		f[found[i]]++
		t[truth[i]]++
	}
	for k, n := range both {
		precision += n * n / f[k[0]]
		recall += n * n / t[k[1]]
	}
	n := float64(len(found))
	return precision / n, recall / n
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
