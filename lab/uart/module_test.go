package uart

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Modules come after those that they need, in whatever Debian's releases compress
// them; those in the kernel itself have no file.
func TestKernelModules(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(module(t, "c")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	packed := func(name, needs string) []byte {
		content, err := filtered(module(t, needs), name, "--stdout")
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	tree := t.TempDir()
	for path, content := range map[string][]byte{
		"kernel/net/a_1.ko":    module(t, "b,built_in"),
		"kernel/b.ko.gz":       zipped.Bytes(),
		"kernel/fs/c.ko.xz":    packed("xz", "d-2"),
		"kernel/fs/d-2.ko.zst": packed("zstd", ""),
		"kernel/needy.ko":      module(t, "absent"),
		"kernel/other.ko.old":  nil,
		"modules.builtin":      []byte("kernel/lib/built-in.ko\nkernel/x.ko\n"),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Join(tree, filepath.Dir(path)), 0o755), os.WriteFile(filepath.Join(tree, path), content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := kernelModules(tree, "x", "a-1", "c")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]byte{module(t, ""), module(t, "d-2"), module(t, "c"), module(t, "b,built_in")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	for name, says := range map[string]string{"absent": "module absent", "needy": "needy needs module absent", "other": "module other"} {
		if _, err := kernelModules(tree, name); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// module is an ELF file with nothing in it but which modules it needs.
func module(t *testing.T, needs string) []byte {
	t.Helper()
	const header, section = 64, 64
	info := "license=GPL\x00depends=" + needs + "\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	end := uint64(header + len(info) + len(names))
	var out bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Shoff: end, Ehsize: header, Shentsize: section, Shnum: 3, Shstrndx: 2,
		},
		[]byte(info), []byte(names),
		elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(info))},
		elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(header + len(info)), Size: uint64(len(names))},
	} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
