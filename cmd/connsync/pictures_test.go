package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"connsync/conntrackd"
)

// The pictures of the pages show the screens that TestMainJobInEmulators has just seen;
// "make screenshots" takes them again.
func TestPicturesAreNotStale(t *testing.T) {
	for picture, golden := range map[string]string{"form": "filled", "checks": "checks", "review": "review", "apply": "apply", "status": "status"} {
		t.Run(picture, func(t *testing.T) {
			svg, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", picture+".svg"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", "emulator", golden+".golden"))
			if err != nil {
				t.Fatal(err)
			}
			text, _, _ := strings.Cut(string(want), "cursor ")
			if diff := cmp.Diff(inWords(text), inWords(textOf(t, svg))); diff != "" {
				t.Errorf("the picture is stale: make screenshots (-screen +picture):\n%s", diff)
			}
		})
	}
}

// The wide picture has both columns: the fields with their keys, and the link with the
// help of the field that has the focus.
func TestWidePictureIsNotStale(t *testing.T) {
	svg, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "form-wide.svg"))
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(strings.Fields(textOf(t, svg)), " ")
	want := []string{"The link, as it is now", "is heard on UDP port", "[ Save Changes ]", "ctrl+o advanced"}
	for _, e := range conntrackd.NewSettingTable() {
		if !e.Advanced {
			want = append(want, e.Label)
		}
		if e.Field == conntrackd.FieldPeerIP {
			first, _, _ := strings.Cut(e.About[0], " ")
			want = append(want, e.Hint, "│ "+first)
		}
	}
	for _, text := range want {
		if !strings.Contains(shown, text) {
			t.Errorf("the picture is stale: make screenshots; it lacks %q", text)
		}
	}
}

// The light picture is of a program that was told so: with a green that can be read.
func TestLightPictureIsLight(t *testing.T) {
	svg, err := os.ReadFile(filepath.Join("..", "..", "docs", "pictures", "checks-light.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`fill="#ffffff"/>`, `fill="#005f00">in sync both ways`, "A save is blocked by"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture is stale: make screenshots; it lacks %q", want)
		}
	}
}

// textOf is what an SVG picture of a screen says, a line each.
func textOf(t *testing.T, svg []byte) string {
	t.Helper()
	const margin, cell = 10, 8 // as in lab/screenshots
	var picture struct {
		Lines []struct {
			Runs []struct {
				X     int    `xml:"x,attr"`
				Width int    `xml:"textLength,attr"`
				Text  string `xml:",chardata"`
			} `xml:"tspan"`
		} `xml:"g>text"`
	}
	if err := xml.Unmarshal(svg, &picture); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range picture.Lines {
		line, end := "", margin
		for _, r := range l.Runs {
			line, end = line+strings.Repeat(" ", (r.X-end)/cell)+r.Text, r.X+r.Width
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// inWords are the lines of a screen without what differs from run to run, and between
// the glyphs of ASCII and of Unicode: width included, so that what is cut is compared
// as far as both have it.
func inWords(text string) []string {
	text = strings.NewReplacer("─", "-", "›", ">", "•", "*", "→", "->").Replace(text)
	text = screenText(text, 0, 0, false)
	var lines []string
	for line := range strings.Lines(text) {
		words := strings.Join(strings.Fields(line), " ")
		if cut, was := strings.CutSuffix(words, "..."); was {
			words = strings.TrimSpace(cut)
		} else if cut, was := strings.CutSuffix(words, "…"); was { // it leaves room for two more
			words = strings.TrimSpace(cut[:max(0, len(cut)-2)])
		}
		words = strings.ReplaceAll(words, "…", "...")
		if words != "" {
			lines = append(lines, words)
		}
	}
	return lines
}
