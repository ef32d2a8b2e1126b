package main

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Every file of a folder is in the account once, with its bytes, and in the sealed listing; what
// its containers hold is added to that and to nothing else.
func TestAccountOfEveryByte(t *testing.T) {
	folder := mixedFolder(t)
	must(t, syscall.Mkfifo(filepath.Join(folder, "www", "pipe"), 0o600))
	must(t, os.Symlink("/etc/passwd", filepath.Join(folder, "www", "link")))
	must(t, os.WriteFile(filepath.Join(folder, "locked.7z"), []byte("7z\xbc\xaf\x27\x1c and nothing"), 0o640))
	files, bytes, other := 0, int64(0), 0
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			other++
			return err
		}
		files++
		bytes += info.Size()
		return nil
	}))
	dir := newCase(t)
	e := unspoof(t, "add", "--case", dir, "--json", folder)
	if e.code != exitDamage {
		t.Fatal(e)
	}
	var found, gotFiles, refused int
	var all, gotBytes, rows float64
	outcomes := map[string]float64{}
	var account map[string]any
	for lines := bufio.NewScanner(strings.NewReader(e.out)); lines.Scan(); {
		var v map[string]any
		must(t, json.Unmarshal(lines.Bytes(), &v))
		switch v["event"] {
		case "account":
			account = v
		case "added", "refused":
			outcome, _ := v["outcome"].(string)
			outcomes[outcome]++
			size, _ := v["source"].(map[string]any)["size"].(float64)
			path, _ := v["path"].(string)
			found++
			all += size
			switch {
			case strings.Contains(path, "!"): // in a container
			case outcome == "refused":
				refused++
			default:
				gotFiles++
				gotBytes += size
			}
			if totals, ok := v["totals"].(map[string]any); ok && v["known"] != true { // the same content is read once
				stored, _ := totals["rows_stored"].(float64)
				damaged, _ := totals["rows_damaged"].(float64)
				rows += stored + damaged
			}
		}
	}
	if gotFiles != files || gotBytes != float64(bytes) || refused != other {
		t.Errorf("%d files of %.0f bytes and %d refused, in the folder are %d of %d and %d that are none:\n%s", gotFiles, gotBytes, refused, files, bytes, other, e)
	}
	if account["found"] != float64(found) || account["bytes"] != all {
		t.Errorf("the account has %v files and members of %v bytes, it told of %d of %.0f", account["found"], account["bytes"], found, all)
	}
	sum := 0.0
	for of, outcome := range map[string]string{"read": "read", "containers": "unpacked", "attached": "attached", "unreadable": "unreadable", "refused": "refused"} {
		n, _ := account[of].(float64)
		if sum += n; n != outcomes[outcome] {
			t.Errorf("the account has %v %s, it told of %v", n, of, outcomes[outcome])
		}
	}
	if sum != account["found"] || rows != account["rows_in"] {
		t.Errorf("outcomes add up to %v, rows to %v: %v", sum, rows, account)
	}
	if e := unspoof(t, "verify", "--case", dir, "--all"); e.code != exitDone {
		t.Error(e)
	}
}
