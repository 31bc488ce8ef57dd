// Command weigh says what each module adds to the program, and writes it into
// docs/measurements.md: what would not be linked without it. "make weigh" runs it.
package main

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"connsync/lab"
)

func main() {
	document := flag.String("document", "docs/measurements.md", "the file whose table is written again; blank prints the table")
	flag.Parse()
	if err := run(*document); err != nil {
		fmt.Fprintln(os.Stderr, "weigh:", err)
		os.Exit(1)
	}
}

const (
	program = "./cmd/connsync"
	begin   = "<!-- make weigh writes from here -->\n"
	end     = "<!-- weighed to here -->\n"
)

func run(document string) error {
	dir, err := os.MkdirTemp("", "weigh")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	named, stripped := filepath.Join(dir, "named"), filepath.Join(dir, "stripped")
	if _, err := output("build", "-trimpath", "-o", named, program); err != nil {
		return err
	}
	if _, err := output("build", "-trimpath", "-ldflags", "-s -w", "-o", stripped, program); err != nil {
		return err
	}
	info, err := os.Stat(stripped)
	if err != nil {
		return err
	}
	held, err := symbols(named)
	if err != nil {
		return err
	}
	packages, err := imports()
	if err != nil {
		return err
	}
	text := table(packages, sizes(held), info.Size())
	if document == "" {
		fmt.Print(text)
		return nil
	}
	return lab.WriteBetween(document, begin, end, []byte(text))
}

// output runs the go command for a program without libraries.
func output(args ...string) ([]byte, error) {
	var said bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, said.Bytes())
	}
	return out, err
}

// linked is a package of the program.
type linked struct {
	ImportPath string
	Imports    []string
	Module     *struct {
		Path string
		Main bool
	}
}

func imports() (map[string]linked, error) {
	out, err := output("list", "-deps", "-json=ImportPath,Imports,Module", program)
	if err != nil {
		return nil, err
	}
	all := map[string]linked{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p linked
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
}

// symbol is a piece of a program, such as a function, and its size in the file.
type symbol struct {
	name  string
	bytes int64
}

// symbols reads those of a program that the file holds: memory that is zero at the start
// is not in it.
func symbols(path string) ([]symbol, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("read the symbols of %s: %w", path, err)
	}
	var held []symbol
	for _, s := range all {
		if int(s.Section) < len(f.Sections) && f.Sections[s.Section].Type != elf.SHT_NOBITS {
			held = append(held, symbol{s.Name, int64(s.Size)})
		}
	}
	return held, nil
}

// sizes adds up the symbols of each package. What is no package's, such as types and
// tables of the linker, is left out.
func sizes(list []symbol) map[string]int64 {
	all := map[string]int64{}
	for _, s := range list {
		slash := strings.LastIndex(s.name, "/")
		dot := strings.Index(s.name[slash+1:], ".")
		if dot < 0 {
			continue
		}
		path := s.name[:slash+1+dot]
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		all[path] += s.bytes
	}
	return all
}

// reached are the packages that the program needs without those of a module.
func reached(packages map[string]linked, without string) map[string]bool {
	seen := map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		p, known := packages[path]
		if !known || seen[path] || p.Module != nil && p.Module.Path == without {
			return
		}
		seen[path] = true
		for _, i := range p.Imports {
			walk(i)
		}
	}
	for path, p := range packages {
		if p.Module != nil && p.Module.Main {
			walk(path)
		}
	}
	return seen
}

type weight struct {
	name  string
	bytes int64
}

// table has the modules by what would go with each of them, its own packages and what
// only it imports. The file's other tables are shared out by size.
func table(packages map[string]linked, sizes map[string]int64, file int64) string {
	var all, own, library int64
	modules := map[string]bool{}
	for path, p := range packages {
		size := sizes[path]
		if p.Module != nil && p.Module.Main && strings.HasSuffix(path, "cmd/connsync") {
			size = sizes["main"]
		}
		all += size
		switch {
		case p.Module == nil:
			library += size
		case p.Module.Main:
			own += size
		default:
			modules[p.Module.Path] = true
		}
	}
	var list []weight
	for m := range modules {
		w, kept := weight{name: m}, reached(packages, m)
		for path := range packages {
			if !kept[path] {
				w.bytes += sizes[path]
			}
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b weight) int { return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.name, b.name)) })
	list = append([]weight{{"connsync itself", own}, {"Go's library, all of it", library}}, list...)
	var out strings.Builder
	fmt.Fprintf(&out, "The stripped program without libraries has %d kB.\n\n| module | kB | why it stays |\n| --- | --- | --- |\n", file/1000)
	for _, w := range list {
		fmt.Fprintf(&out, "| %s | %d | %s |\n", w.name, int64(float64(w.bytes)/float64(all)*float64(file))/1000, reasons[w.name])
	}
	return out.String()
}

// reasons are why what weighs most is not left out.
var reasons = map[string]string{
	"Go's library, all of it":                  "runtime, network, JSON, regular expressions; and what net/http initialises",
	"github.com/prometheus-community/pro-bing": "its package imports net/http, whose TLS and cryptography are initialised though nothing calls them; no build tag leaves that out",
	"go.yaml.in/yaml/v4":                       "files of settings; YAML 3 has 262 kB less and gets no more changes",
	"github.com/vishvananda/netlink":           "it decodes every kind of interface, of which a list has any",
	"github.com/charmbracelet/ultraviolet":     "the keys of Bubble Tea's input",
	"github.com/godbus/dbus/v5":                "systemd's results of jobs",
	"github.com/spf13/cobra":                   "commands, help, completion; without its templates, which had 2.6 MB of methods kept",
}
