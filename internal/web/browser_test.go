package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/unspoof/unspoof/internal/desk/desktest"
	"github.com/unspoof/unspoof/internal/web/ui"
)

// chromium starts a browser with a fresh profile that talks to nobody but us.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("no Chromium here, and CI must have one (Debian: apt-get install chromium)")
	}
	if path == "" {
		t.Skip("no Chromium here: apt-get install chromium to run this test")
	}
	profile := t.TempDir()
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1400, 1000))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of the first call
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 100*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// complaints gathers what a page should never cause.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(s string) { c.mu.Lock(); c.list = append(c.list, s); c.mu.Unlock() }

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func watch(t *testing.T, ctx context.Context, origin string) *complaints {
	t.Helper()
	c := &complaints{}
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			c.add("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == "error" || e.Type == "warning" {
				c.add("console: " + string(e.Args[0].Value))
			}
		case *log.EventEntryAdded: // violations of the content security policy come here
			if e.Entry.Level == "error" || e.Entry.Level == "warning" {
				c.add("log: " + e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, origin) && !strings.HasPrefix(e.Request.URL, "data:") {
				c.add("off-origin request: " + e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestInBrowser walks from the overview to an original row in a real browser, through hostile data.
func TestInBrowser(t *testing.T) {
	s := open(t, desktest.Options{Hostile: os.Getenv("UNSPOOF_BENIGN") == ""})
	ctx := chromium(t)
	said := watch(t, ctx, s.URL+"/")
	shots := os.Getenv("UNSPOOF_SCREENSHOTS") // a folder: keep a picture of every page
	step := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v; the browser said %q", what, err, said.take())
		}
		if list := said.take(); len(list) > 0 {
			t.Fatalf("%s: the browser said %q", what, list)
		}
		if shots == "" {
			return
		}
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(shots, what+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step("sign-in", chromedp.Navigate(s.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#password")))
	step("overview", chromedp.SendKeys(chromedp.CSS("#name"), "supervisor"), chromedp.SendKeys(chromedp.CSS("#password"), desktest.Password), chromedp.Submit(chromedp.CSS("#password")),
		chromedp.WaitVisible(chromedp.CSS(".tiles")), charts(3))
	step("suspects", chromedp.Click(chromedp.CSS(`.nav a[href="/suspects"]`)), chromedp.WaitVisible(chromedp.CSS(".filters")))
	step("policy", chromedp.Navigate(s.URL+s.addresses()["/suspects"]), chromedp.WaitVisible(chromedp.CSS(".filters")))
	step("account", chromedp.Navigate(s.URL+s.addresses()["/account"]), chromedp.WaitVisible(chromedp.CSS("#calls")))
	step("call", chromedp.Click(chromedp.CSS(`#calls ~ .scroll tbody tr:nth-child(2) a[href^="/call"]`)), chromedp.WaitVisible(chromedp.CSS(`a.ref`)))
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(title, "Call cdr:1") {
		t.Fatalf("title of the call's page: %q", title)
	}
	step("row", chromedp.Click(chromedp.CSS("a.ref")), chromedp.WaitVisible(chromedp.CSS("pre.bytes")))
	bytes, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("pre.bytes")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(bytes, "(1,'Smith','[masked]',") {
		t.Fatalf("the row's bytes on the page: %q", bytes)
	}
	for _, path := range []string{"/victims", "/batches", "/number", "/campaigns", "/campaign", "/institutions", "/institution", "/tables", "/table", "/figure", "/ledger", "/search"} {
		step(path[1:], chromedp.Navigate(s.URL+s.addresses()[path]), chromedp.WaitVisible(chromedp.CSS("main h1")))
	}
	if shots != "" {
		step("dark", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
			return err
		}),
			chromedp.Navigate(s.URL+"/"), chromedp.WaitVisible(chromedp.CSS(".tiles")), charts(3))
		step("print", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			return err
		}), chromedp.Navigate(s.URL+s.addresses()["/call"]), chromedp.WaitVisible(chromedp.CSS("main h1")))
		step("dark-account", chromedp.Navigate(s.URL+s.addresses()["/account"]), chromedp.WaitVisible(chromedp.CSS("#calls")))
	}
}

// charts waits until so many charts are drawn, where they have been built.
func charts(n int) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if !ui.Built() {
			return nil
		}
		for {
			drawn, err := chromedp.Evaluate[int](`document.querySelectorAll('[data-drawn="yes"] canvas').length`)(ctx, t)
			if err != nil || drawn == n {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// TestChartsAreBuilt says how to build them.
func TestChartsAreBuilt(t *testing.T) {
	if !ui.Built() {
		const how = "the charts are not built: cd internal/web/ui && npm ci && npm run build"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
}
