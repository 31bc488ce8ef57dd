package packaging

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
)

// board is what is looked at of a Grafana dashboard.
type board struct {
	Title, UID string
	Panels     []struct {
		ID      int
		Title   string
		Targets []struct{ Expr string }
	}
}

// dashboard asks a Prometheus that has the metrics of a healthy pair every
// question of the dashboard: each has an answer.
func (w *watched) dashboard() {
	w.t.Helper()
	content, err := os.ReadFile("monitoring/dashboard.json")
	if err != nil {
		w.t.Fatal(err)
	}
	var b board
	if err := json.Unmarshal(content, &b); err != nil {
		w.t.Fatalf("dashboard.json: %v", err)
	}
	if b.Title == "" || b.UID == "" || len(b.Panels) == 0 {
		w.t.Fatalf("dashboard.json is no dashboard: %+v", b)
	}
	variables := strings.NewReplacer("$instance", ".*", "$__rate_interval", "1m")
	ids := map[int]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			w.t.Errorf("panel %q has number %d again, or no query", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			if regexp.MustCompile(`\$\w`).MatchString(expr) {
				w.t.Errorf("panel %q has a variable that is not known: %s", p.Title, expr)
			}
			if len(w.query(expr)) == 0 {
				w.t.Errorf("panel %q: no answer to %s", p.Title, expr)
			}
		}
	}
}
