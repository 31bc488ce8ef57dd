# Commands of a Debian package may stand where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
# A clone that belongs to somebody else cannot be asked for its revision.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

GO ?= go
# Those whose tests wait longest come first, so that the others fill their time.
PACKAGES ?= ./cmd/connsync ./packaging ./conntrackd/health ./conntrackd/refresh ./lab/uart \
	./lab/failover ./lab/systems ./netcheck ./conntrackd/service ./tui ./conntrackd ./lab/crash ./lab ./...
# Position-independent, so that its addresses differ in each run: 1.3 MB more, and
# the host needs glibc's loader. BUILDMODE=exe builds one that needs nothing.
BUILDMODE ?= pie

.PHONY: build package run demo failover random test test-systems lint golden monkey fuzz planted crash flood bench bench-serial bench-refresh weigh screenshots deps clean root bin

build: bin

bin:
	CGO_ENABLED=0 $(GO) build -trimpath -buildmode=$(BUILDMODE) -o bin/connsync ./cmd/connsync
	@[ -z "$$SUDO_UID" ] || chown -R "$$SUDO_UID:$$SUDO_GID" bin

# .deb and .rpm for amd64 and arm64 in dist/; needs neither root nor a packager's tools.
package:
	@packaging/build

# The configurator on this host, on its own conntrackd: make run ARGS=show
run: bin
	bin/connsync $(ARGS)

# A two-node pair on this machine, and the configurator inside node A.
demo: root
	@scripts/deps demo
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/demo ./lab/demo
	@bin/demo -connsync bin/connsync

# What becomes of connections when a node fails and returns, as tables:
# make failover ARGS='-long -document docs/measurements.md' keeps them.
failover: root
	@scripts/deps failover
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/failover ./lab/failover
	@bin/failover -connsync bin/connsync $(ARGS)

# Random traffic, a random fault and a failover: does more get lost than "connsync
# status" had named? make random SEED=1 RUNS=50
random: root
	@scripts/deps failover
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/failover ./lab/failover
	@bin/failover -connsync bin/connsync -random -seed $(or $(SEED),1) -runs $(or $(RUNS),50)

# What works on which system, as a matrix; a cell that could not run says why.
# make test-systems ARGS='-only debian12,debian13'
test-systems: root
	@scripts/deps test
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/systems ./lab/systems
	@bin/systems -connsync bin/connsync $(ARGS)

# Every test, end to end on real namespaces, daemons and a booted Debian. They
# wait more than they work: five packages run beside each other, eight tests of each.
test: root
	@scripts/deps test
	@$(GO) run ./lab/trees
	@scripts/gotest -race -count=1 -p 5 -parallel 8 -timeout 40m $(TESTFLAGS) $(PACKAGES)

lint:
	@files=$$(gofmt -l .) && [ -z "$$files" ] || { echo "not formatted (gofmt -w):"; echo "$$files"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags manual ./cmd/connsync
	$(GO) tool staticcheck ./...
	@scripts/vulncheck

# Writes the screens' golden files again; look at the difference before committing.
golden:
	$(GO) test ./tui -count=1 -update

# Types at random on the screens and in line mode: make monkey ARGS="-keys 1000000 -seed 7"
monkey:
	$(GO) test ./tui -run 'Monkey$$' -count=1 -timeout 0 -v -args $(or $(ARGS),-keys 1000000)

# Every fuzz target of the module, each for FUZZTIME: make fuzz FUZZTIME=1h,
# make fuzz ARGS='FuzzParse|FuzzFrom'. It prints the executions of each, and fails
# on a crasher, which it leaves in testdata/fuzz of the package.
fuzz:
	@scripts/fuzz '$(or $(FUZZTIME),1m)' '$(ARGS)'

# Plants a defect in what each fuzz target is about, in a copy of the tree, and says
# whether the target finds it: make planted ARGS='-only FuzzApply -for 5m'; no root.
planted:
	@CGO_ENABLED=0 $(GO) build -o bin/planted ./lab/planted
	@bin/planted $(ARGS)

# Ends the program at random instants of saves on lab nodes, and looks at what is
# left: make crash ARGS='-kills 100 -seed 7'. It prints the figures.
crash: root
	@scripts/deps demo
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/crash ./lab/crash
	@bin/crash -connsync bin/connsync $(ARGS)

# What status --watch and the Status page need while frames fill the sync link:
# make flood ARGS='-for 1m -rate 50000'. It prints the figures.
flood: root
	@scripts/deps demo
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/flood ./lab/flood
	@bin/flood -connsync bin/connsync $(ARGS)

# connsync beside what does the same or a part of it, as ratios with their targets, into
# docs/measurements.md and docs/pictures; within twenty minutes, on a machine that does
# nothing else. make bench ARGS='-only screens' measures a section and writes nothing;
# what goes into no report is under go test -bench.
bench: root
	@scripts/deps bench-serial
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/bench ./lab/bench
	@bin/bench -connsync bin/connsync $(ARGS)

# What the screens cost on a serial line, in bytes, beside those of others:
# make bench-serial ARGS=-quick idles for seconds instead of a minute. What else
# runs on the machine has to stand back: milliseconds are measured too.
bench-serial: root
	@scripts/deps bench-serial
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/benchserial ./lab/benchserial
	@nice -n -15 bin/benchserial -connsync bin/connsync $(ARGS)

# What it costs to bring connections in use to the peer again, into docs/measurements.md.
bench-refresh: root
	@scripts/deps demo
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/benchrefresh ./lab/benchrefresh
	@bin/benchrefresh -connsync bin/connsync $(ARGS)

# What a person sees on the way from an empty form to the status, into docs/pictures.
screenshots: root
	@scripts/deps demo
	@$(MAKE) --no-print-directory bin
	@CGO_ENABLED=0 $(GO) build -o bin/screenshots ./lab/screenshots
	@bin/screenshots -connsync bin/connsync

# What each module adds to the program, into docs/measurements.md; no root.
weigh:
	@$(GO) run ./lab/weigh $(ARGS)

deps: root
	@scripts/deps test
	@$(GO) run ./lab/trees

clean:
	rm -rf bin dist

root:
	@[ "$$(id -u)" = 0 ] || { \
		echo "make $(MAKECMDGOALS) needs root: it makes network namespaces, runs conntrackd in them and installs"; \
		echo "Debian packages that are missing. Run:"; \
		echo; \
		echo "    sudo env \"PATH=\$$PATH\" make $(MAKECMDGOALS)"; \
		echo; \
		exit 1; } >&2
