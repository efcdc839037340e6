# recagent - see README.md for the variables; V=1 shows the commands, BUILD= puts the objects elsewhere.
VERSION := 0.1.0
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=
BUILD ?= build
CC ?= cc
CSTD := -std=c11 -D_POSIX_C_SOURCE=200809L
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDHARDEN := -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
CFLAGS ?= -O2 -g
ALL_CFLAGS = $(CSTD) $(WARN) $(HARDEN) $(WERROR) -Isrc $(CFLAGS) -MMD -MP -pthread -DRECAGENT_VERSION='"$(VERSION)"'
LIBS := -lcurl -lcjson -lcrypto -lsqlite3 -lz -lexpat -lm
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

SRC := $(filter-out src/main.c,$(wildcard src/*/*.c))
OBJ := $(SRC:src/%.c=$(BUILD)/%.o)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%.t,$(wildcard tests/unit/*.c))

all: $(BUILD)/recagent

$(BUILD)/recagent: $(BUILD)/main.o $(BUILD)/librecagent.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDHARDEN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(BUILD)/main.o $(BUILD)/librecagent.a $(LIBS)

$(BUILD)/librecagent.a: $(OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(OBJ)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

unit: $(UNIT)
$(BUILD)/unit/%.t: tests/unit/%.c $(BUILD)/librecagent.a
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -o $@ $< $(BUILD)/librecagent.a $(LDFLAGS) $(LIBS) -lcmocka

clean:
	rm -rf $(BUILD)

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)
.PHONY: all unit clean
