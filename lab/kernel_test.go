package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The packages of the cloud kernel are found as Debian's releases divide it.
func TestKernelPackages(t *testing.T) {
	releases := map[string]struct {
		depends map[string]string
		want    []string
	}{
		"13": {
			map[string]string{
				"linux-image-cloud-amd64":              "Depends: linux-image-6.12.9+deb13-cloud-amd64",
				"linux-image-6.12.9+deb13-cloud-amd64": "PreDepends: linux-base\n Depends: kmod\n |Depends: initramfs-tools\n  Depends: <linux-initramfs-tool>\n",
			},
			[]string{"linux-image-6.12.9+deb13-cloud-amd64"},
		},
		"14": {
			map[string]string{
				"linux-image-cloud-amd64":               "Depends: linux-base-cloud-amd64\n  Depends: linux-image-7.2.1+deb14-cloud-amd64",
				"linux-base-cloud-amd64":                "Depends: linux-base-7.2.1+deb14-cloud-amd64",
				"linux-image-7.2.1+deb14-cloud-amd64":   "Depends: dracut\n  Depends: linux-base-7.2.1+deb14-cloud-amd64\n  Depends: linux-binary-7.2.1+deb14-cloud-amd64\n  Depends: linux-modules-7.2.1+deb14-cloud-amd64",
				"linux-base-7.2.1+deb14-cloud-amd64":    "",
				"linux-binary-7.2.1+deb14-cloud-amd64":  "Depends: linux-base-7.2.1+deb14-cloud-amd64",
				"linux-modules-7.2.1+deb14-cloud-amd64": "Depends: kmod",
			},
			[]string{
				"linux-base-cloud-amd64", "linux-image-7.2.1+deb14-cloud-amd64", "linux-base-7.2.1+deb14-cloud-amd64",
				"linux-binary-7.2.1+deb14-cloud-amd64", "linux-modules-7.2.1+deb14-cloud-amd64",
			},
		},
	}
	for release, tt := range releases {
		got, err := kernelPackages("amd64", func(name string) (string, error) {
			out, ok := tt.depends[name]
			if !ok {
				t.Errorf("Debian %s: asked for %s", release, name)
			}
			return name + "\n  " + out, nil
		})
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("Debian %s: %v (-want +got):\n%s", release, err, diff)
		}
	}
	if got, err := kernelPackages("amd64", func(string) (string, error) { return "", nil }); err == nil {
		t.Errorf("without any: %q", got)
	}
}

func TestKernelIn(t *testing.T) {
	for release, want := range map[string]Kernel{
		"12": {"boot/vmlinuz-6.1-cloud-amd64", "lib/modules/6.1-cloud-amd64"},
		"13": {"boot/vmlinuz-6.12-cloud-amd64", "usr/lib/modules/6.12-cloud-amd64"},
		"14": {"usr/lib/modules/7.2-cloud-amd64/vmlinuz", "usr/lib/modules/7.2-cloud-amd64"},
	} {
		tree := t.TempDir()
		want.Image, want.Modules = filepath.Join(tree, want.Image), filepath.Join(tree, want.Modules)
		if _, err := kernelIn(tree); err == nil {
			t.Errorf("Debian %s: there is a kernel in an empty tree", release)
		}
		for _, dir := range []string{want.Modules, filepath.Dir(want.Image)} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(want.Image, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := kernelIn(tree); err != nil || got != want {
			t.Errorf("Debian %s: %+v, %v", release, got, err)
		}
	}
}
