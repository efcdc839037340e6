# recagent - `make` builds, `make check` tests, `make install` installs; README.md has the variables.
# V=1 shows the commands; BUILD= puts the objects elsewhere.
VERSION := 0.1.0

PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
BUILD ?= build
CC ?= cc
CLANG ?= clang
CFLAGS ?= -O2 -g
LDFLAGS ?=
WERROR ?=

CSTD := -std=c11 -D_POSIX_C_SOURCE=200809L
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
HARDEN ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDHARDEN ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
ALL_CFLAGS = $(CSTD) $(WARN) $(WERROR) $(HARDEN) -Isrc $(CFLAGS) -MMD -MP -pthread -DRECAGENT_VERSION='"$(VERSION)"'
LIBS := -lcurl -lcjson -lcrypto -lsqlite3 -lz -lexpat -lm

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

SRC := $(sort $(filter-out src/main.c,$(wildcard src/*/*.c)))
OBJ := $(SRC:src/%.c=$(BUILD)/%.o)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%.t,$(sort $(wildcard tests/unit/*.c)))
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
COMMANDS = $(shell sed -n 's/^\t*\.name = "\(.*\)",$$/\1/p' src/cmd/*.c | sort)
SOURCES := $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch])

all: $(BUILD)/recagent

$(BUILD)/recagent: $(BUILD)/main.o $(BUILD)/librecagent.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDHARDEN) $(CFLAGS) -pthread -o $@ $^ $(LDFLAGS) $(LIBS)

$(BUILD)/librecagent.a: $(OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(OBJ)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# ---- tests

unit: $(UNIT)
$(BUILD)/unit/%.t: tests/unit/%.c $(BUILD)/librecagent.a
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -o $@ $< $(BUILD)/librecagent.a $(LDFLAGS) $(LIBS) -lcmocka

tools: $(TOOLS)
$(BUILD)/tools/%: tests/tools/%.c $(BUILD)/librecagent.a
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(BUILD)/librecagent.a $(LDFLAGS) $(LIBS)

# T= runs single tests: make check T=tests/cli/publish.bats
check: all unit tools $(BUILD)/torture/fail.so
	$(if $(T),,$(Q)$(MAKE) --no-print-directory lint)
	$(Q)BUILD=$(BUILD) tests/run $(T)

# The unit and command tests again under AddressSanitizer and UBSan, and what has threads under ThreadSanitizer.
sanitize:
	$(Q)BUILD=$(BUILD) tests/sanitize

# The table tests again on Amazon's own DynamoDB Local (needs Java).
conformance: all
	$(Q)BUILD=$(BUILD) tests/conformance/run

# Workers of the Kinesis Client Library and recagent's on one lease table (needs a JDK and Maven); SEEDS="1 2 3": mixed fleets.
kcl: all
	$(Q)BUILD=$(BUILD) tests/kcl/run $(SEEDS)

# Each fuzz target for TIME seconds; what it finds stays in $(BUILD)/fuzz.
TIME ?= 60
fuzz:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(CLANG) HARDEN= LDHARDEN= \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
		$(BUILD)/fuzz/librecagent.a
	$(Q)BUILD=$(BUILD) CC=$(CLANG) tests/fuzz/run $(TIME) $(FUZZERS)

# Each allocation, read, write, sync, rename, send... of each command fails once, in turn; SOME= at most so many of a kind.
SOME ?= 0
torture: all $(BUILD)/torture/fail.so
	$(Q)BUILD=$(BUILD) tests/torture/run --some $(SOME)
$(BUILD)/torture/fail.so: tests/torture/fail.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=c11 $(WARN) -O1 -g -fPIC -shared $(TORTURE_FLAGS) -o $@ $< -ldl

# The whole system under kills, stops, resharding and faults, for TIME seconds or N rounds of each form, the first with SEED;
# FORM=local (the embedded store), servers or both. tests/chaos/chaos.py says what a round is.
chaos: all
	$(Q)BUILD=$(BUILD) FORM=$(FORM) SEED=$(SEED) N=$(N) TIME=$(TIME) tests/chaos/run

bench: all
	$(Q)BUILD=$(BUILD) tests/bench/run

# The README's two commands in a new Debian 12 without compilers.
fresh:
	$(Q)tests/fresh

lint:
	$(Q)CC='$(CC)' tests/lint

format:
	$(Q)clang-format -i $(SOURCES)

completions: all
	$(call say,GEN,completions)
	$(Q)for shell in bash zsh fish; do $(BUILD)/recagent completion $$shell >completions/recagent.$$shell || exit 1; done

demo: all
	$(Q)BUILD=$(BUILD) examples/demo.sh

# ---- installation; LINKS=yes adds the bare command names too (an `ack` in PATH would shadow others)

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	install -m 755 $(BUILD)/recagent $(DESTDIR)$(BINDIR)/recagent
	for c in $(COMMANDS); do ln -sf recagent $(DESTDIR)$(BINDIR)/recagent-$$c || exit 1; \
		$(if $(filter yes,$(LINKS)),ln -sf recagent $(DESTDIR)$(BINDIR)/$$c || exit 1;) done
	install -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 completions/recagent.bash $(DESTDIR)$(BASHDIR)/recagent
	install -m 644 completions/recagent.zsh $(DESTDIR)$(ZSHDIR)/_recagent
	install -m 644 completions/recagent.fish $(DESTDIR)$(FISHDIR)/recagent.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/recagent $(DESTDIR)$(BASHDIR)/recagent $(DESTDIR)$(ZSHDIR)/_recagent \
		$(DESTDIR)$(FISHDIR)/recagent.fish
	for c in $(COMMANDS); do rm -f $(DESTDIR)$(BINDIR)/recagent-$$c $(DESTDIR)$(MANDIR)/man1/recagent-$$c.1 || exit 1; \
		if [ "$$(readlink $(DESTDIR)$(BINDIR)/$$c)" = recagent ]; then rm -f $(DESTDIR)$(BINDIR)/$$c; fi; done
	rm -f $(DESTDIR)$(MANDIR)/man1/recagent.1

clean:
	rm -rf build build-*

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)
.PHONY: all unit tools check sanitize conformance kcl fuzz torture chaos bench fresh lint format completions demo install uninstall clean
.DELETE_ON_ERROR:
