package main

import (
	"context"
	"debug/elf"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// mostModules is how many modules are listed, the largest first.
const mostModules = 8

// modules measures what each module brings into the program: its code and its data,
// without the tables that the linker makes of them.
func modules(ctx context.Context, b *bench, whole int64) error {
	info, err := exec.CommandContext(ctx, "go", "version", "-m", b.program).Output()
	if err != nil {
		return fmt.Errorf("go version -m: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "dep" || f[0] == "mod") {
			names = append(names, f[1])
		}
	}
	// Of two that begin alike the longer one has the package.
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	program, err := elf.Open(b.program)
	if err != nil {
		return err
	}
	defer program.Close()
	symbols, err := program.Symbols()
	if err != nil {
		return fmt.Errorf("symbols of %s: %w", b.program, err)
	}
	sizes := map[string]int64{}
	for _, symbol := range symbols {
		if at := int(symbol.Section); at >= len(program.Sections) || program.Sections[at].Type == elf.SHT_NOBITS {
			continue // which is no byte of the file
		}
		name := strings.ReplaceAll(strings.TrimPrefix(symbol.Name, "type:"), "%2e", ".")
		if i := slices.IndexFunc(names, func(module string) bool { return strings.HasPrefix(strings.TrimLeft(name, "*.("), module) }); i >= 0 {
			sizes[names[i]] += int64(symbol.Size)
		}
	}
	found := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return int(sizes[b] - sizes[a]) })
	for _, name := range found[:min(len(found), mostModules)] {
		b.sized("of it: "+name, sizes[name], "the packaged program", whole, 0)
	}
	return nil
}
