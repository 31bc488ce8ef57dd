package sdunit

import (
	"cmp"
	"context"
	"slices"
)

// maxStarters bounds the units that are asked about.
const maxStarters = 200

// Starter is a unit that starts at boot and starts the unit with it, be it by others in
// between; blank where there is none. all are the unit's properties, dirs those of the unit
// files; enabled says that a unit's own links have it start at boot.
func Starter(ctx context.Context, conn Properties, dirs []string, unit string, all map[string]any, enabled func(context.Context, string) (bool, error)) (string, error) {
	seen, by := []string{unit}, map[string]string{} // of those that are seen, who of the first ones it starts
	for i := 0; i < len(seen) && i < maxStarters; i++ {
		if i > 0 {
			on, err := enabled(ctx, seen[i])
			if err != nil || on {
				return seen[i], err
			}
			if all, err = conn.GetAllPropertiesContext(ctx, seen[i]); err != nil {
				return "", err
			}
			if first := by[seen[i]]; slices.Contains(Property[[]string](all, "Names"), "default.target") && pulls(dirs, first, unit) {
				return first, nil
			}
		}
		for _, list := range []string{"WantedBy", "RequiredBy", "BoundBy", "UpheldBy", "TriggeredBy"} {
			for _, name := range Property[[]string](all, list) {
				if !slices.Contains(seen, name) {
					seen = append(seen, name)
					by[name] = cmp.Or(by[seen[i]], name)
				}
			}
		}
	}
	return "", nil
}
