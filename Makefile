# Builds, tests and installs Mitosis. `make help` lists the targets.
#
# Everything made is below build/<variant>/. A variant is one compiler with one set of flags:
#   musl   the product: static, small, stripped          glibc  for development and tests
#   asan   address and undefined-behaviour sanitizers     tsan   thread sanitizer
#   poll   glibc, with the broker on poll(2)              fuzz   libFuzzer
# and clang, which only looks at the sources and makes nothing. The product for another kind of
# machine is in build/<kind>/ (make targets); for this one it is that of musl.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
SHELL := /bin/sh
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

BUILD        := build
PREFIX       := /usr/local
DESTDIR      :=
V            := # 1: show the commands
GCC          := gcc
CLANG        := clang
MUSL_GCC     := musl-gcc
BINUTILS     := # prefix of ar, ld, nm, objcopy: aarch64-linux-gnu-
JOBS         := $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS := 60
TEST_TIMEOUT := 300
TESTS        := *

VERSION := $(shell sed -n 's/^\#define MITO_VERSION "\(.*\)"$$/\1/p' include/mitosis.h)

# What was built: a source archive says it in a file VERSION, a clone is asked.
COMMIT  := $(shell cat VERSION 2>/dev/null || git describe --always --abbrev=12 --dirty --exclude='*' 2>/dev/null || echo unknown)

# --------------------------------------------------------------------------------------------
# Sources

ROOMS    := base wire io core child parent service
LIB_C    := $(foreach room,$(ROOMS),$(sort $(wildcard src/$(room)/*.c)))
# The command, and the program that it carries and sends (src/cli/copy.c).
COPY_C   := $(addprefix src/cli/,copy.c guard.c remote_describe.c remote_exec.c)
CLI_C    := $(filter-out src/cli/copy.c,$(sort $(wildcard src/cli/*.c)))
EXAMPLES := $(patsubst %.c,%,$(sort $(wildcard examples/*.c)))
BENCHES  := bench/bench bench/minimal
BENCH_C  := $(filter-out bench/minimal.c,$(sort $(wildcard bench/*.c)))
UNIT     := $(patsubst %.c,%,$(sort $(wildcard tests/unit/test_*.c)))
E2E      := $(patsubst %.c,%,$(sort $(wildcard tests/e2e/test_*.c)))
POLL     := $(filter tests/unit/test_poller% tests/unit/test_broker%,$(UNIT))
FUZZERS  := $(patsubst %.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# The hosts with accounts and engines are tested by themselves when they change (make test-hosts):
# every test that uses them shows that they are as they should be.
HOST_SCRIPTS := $(wildcard tests/hosts/test_*.sh)
# Those that need the compilers for other kinds of machine: a gigabyte of packages.
TARGET_SCRIPTS := tests/targets/test_targets.sh tests/targets/test_reproducible.sh \
                  tests/cli/test_cc.sh tests/cli/test_projects.sh
# Those that wait for a minute go first, so that others run meanwhile.
SLOW_SCRIPTS := tests/e2e/test_ssh_delay.sh tests/e2e/test_ssh_cut.sh tests/cli/test_network.sh \
                tests/e2e/test_containers.sh
SCRIPTS  := $(SLOW_SCRIPTS) $(filter-out $(HOST_SCRIPTS) $(TARGET_SCRIPTS) $(SLOW_SCRIPTS),\
                $(sort $(wildcard tests/*/test_*.sh tools/test_*.sh)))
# Programs that the scripts start; they are no tests themselves.
PROGRAMS := $(patsubst %.c,%,$(sort $(wildcard tests/programs/*.c)))
# Tools that make hosts to test against, one file each; they may want the kernel's headers.
HOSTS     := $(patsubst %.c,%,$(sort $(wildcard tests/hosts/*.c)))
# What the tests of one directory share, and what all share.
SUPPORT_C := $(sort $(wildcard tests/support/*.c))
UNIT_C    := $(filter-out $(UNIT:=.c),$(sort $(wildcard tests/unit/*.c)))
E2E_C     := $(filter-out $(E2E:=.c),$(sort $(wildcard tests/e2e/*.c)))
FUZZ_C    := $(filter-out $(FUZZERS:=.c),$(sort $(wildcard tests/fuzz/*.c)))

ALL_C := $(LIB_C) $(CLI_C) src/cli/copy.c $(addsuffix .c,$(EXAMPLES) bench/minimal $(UNIT) $(E2E) $(FUZZERS) \
         $(PROGRAMS) $(HOSTS)) $(BENCH_C) $(SUPPORT_C) $(UNIT_C) $(E2E_C) $(FUZZ_C)

# --------------------------------------------------------------------------------------------
# Flags

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Werror
STANDARD := -std=gnu17 -D_GNU_SOURCE -pthread $(WARNINGS)

# Who may see what: the command and the examples only the public header.
include_dirs = -Iinclude $(if $(filter src/cli/% examples/% tests/e2e/% tests/programs/%,$(1)),,-Isrc) \
               $(if $(filter tests/%,$(1)),-Itests)

# Kinds of machine that there are images for. This machine's own is the variant musl.
KINDS   := x86_64 aarch64 armv7 riscv64 i386
OWN     := $(shell uname -m | sed -e 's/^i.86$$/i386/' -e 's/^armv[78].*/armv7/')
FOREIGN := $(filter-out $(OWN),$(KINDS))
KIT     := $(BUILD)/toolchain

VARIANTS := musl glibc asan tsan poll fuzz $(FOREIGN)
SANITIZE := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all

CC_musl   := $(MUSL_GCC)
CC_glibc  := $(GCC)
CC_poll   := $(GCC)
CC_asan   := $(CLANG)
CC_tsan   := $(CLANG)
CC_fuzz   := $(CLANG)
$(foreach k,$(FOREIGN),$(eval CC_$(k) := $(KIT)/$(k)/cc))

BINUTILS_x86_64  := x86_64-linux-gnu-
BINUTILS_aarch64 := aarch64-linux-gnu-
BINUTILS_armv7   := arm-linux-gnueabihf-
BINUTILS_riscv64 := riscv64-linux-gnu-
BINUTILS_i386    := i686-linux-gnu-
# binutils(variant, program)
binutils = $(if $(filter $(1),$(FOREIGN)),$(BINUTILS_$(1)),$(BINUTILS))$(2)

# -g1: functions and lines, which are kept beside the programs; wherever it is built, they and so the
# build ids are the same. (gcc takes the directory from PWD, which may be another name of this one.)
export PWD := $(CURDIR)
CFLAGS_musl  := -Os -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
                -fno-unwind-tables -fno-ident -fstack-protector -fno-pie \
                -g1 '-ffile-prefix-map=$(CURDIR)=.'
CFLAGS_glibc := -O1 -g -ffunction-sections -fdata-sections
CFLAGS_poll  := -O1 -g -DMITO_POLLER_POLL
CFLAGS_asan  := $(SANITIZE) -fsanitize=address,undefined
CFLAGS_tsan  := $(SANITIZE) -fsanitize=thread
CFLAGS_fuzz  := $(SANITIZE) -fsanitize=fuzzer-no-link,address,undefined \
                -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

# noseparate-code saves two pages of padding in every image that crosses the wire; what is sorted by
# alignment is alike, and packs better.
LDFLAGS_musl  := -static -no-pie -Wl,--gc-sections -Wl,--build-id=sha1 -Wl,-z,noseparate-code \
                 -Wl,--sort-section=alignment
$(foreach k,$(FOREIGN),$(eval CFLAGS_$(k) = $$(CFLAGS_musl)) $(eval LDFLAGS_$(k) = $$(LDFLAGS_musl)))
LDFLAGS_glibc := -Wl,--gc-sections
LDFLAGS_poll  :=
LDFLAGS_asan  := -fsanitize=address,undefined
LDFLAGS_tsan  := -fsanitize=thread
LDFLAGS_fuzz  := -fsanitize=fuzzer,address,undefined

# --------------------------------------------------------------------------------------------
# The product

.PHONY: all
all: library command examples ## the product: library, command and examples, in build/musl

.PHONY: library command examples
library: $(BUILD)/musl/libmitosis.a
command: $(if $(CLI_C),$(BUILD)/musl/mitosis)
examples: $(EXAMPLES:%=$(BUILD)/musl/%)

# --------------------------------------------------------------------------------------------
# Rules, once per variant

# Shows what is made; with V=1 how.
say = $(if $(V),,@echo '  $@' &&)

# compile(variant)
compile = $(CC_$(1)) $(STANDARD) $(CFLAGS_$(1)) $(CPPFLAGS) $(CFLAGS) $(call include_dirs,$<) \
          -MMD -MP -c -o $@ $<
# link(variant, objects and archives)
link = $(CC_$(1)) -pthread $(CFLAGS_$(1)) $(CFLAGS) $(LDFLAGS_$(1)) $(LDFLAGS) -o $@ $(2) $(LDLIBS) \
       $(if $(filter musl $(FOREIGN),$(1)),&& $(call split_debug,$(1)))
# What mitosis image symbolize needs, by build id; of earlier programs too, until make clean.
split_debug = BINUTILS='$(call binutils,$(1))' tools/split-debug $@ $(BUILD)/$(1)/debug
# objects(variant, sources)
objects = $(patsubst %.c,$(BUILD)/$(1)/obj/%.o,$(2))

define variant_rules
$(BUILD)/$(1)/obj/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(say) $$(call compile,$(1))

# The list changes when a source comes or goes: then the archives are made anew.
$(BUILD)/$(1)/sources.list: FORCE
	@mkdir -p $$(@D)
	@echo '$$(strip $$(LIB_C))' | cmp -s - $$@ || echo '$$(strip $$(LIB_C))' >$$@

# Every object as it is: tests of a room reach what is inside it.
$(BUILD)/$(1)/libmitosis-internal.a: $$(call objects,$(1),$$(LIB_C)) $(BUILD)/$(1)/sources.list
	@rm -f $$@
	$$(say) $(call binutils,$(1),ar) rcsD $$@ $$(call objects,$(1),$$(LIB_C))

$(BUILD)/$(1)/tests/unit/%: $(BUILD)/$(1)/obj/tests/unit/%.o \
		$$(call objects,$(1),$$(UNIT_C) $$(SUPPORT_C)) $(BUILD)/$(1)/libmitosis-internal.a
	@mkdir -p $$(@D)
	$$(say) $$(call link,$(1),$$^ -lcmocka)

$(BUILD)/$(1)/tests/e2e/%: $(BUILD)/$(1)/obj/tests/e2e/%.o \
		$$(call objects,$(1),$$(E2E_C) $$(SUPPORT_C)) $$(call public_library,$(1))
	@mkdir -p $$(@D)
	$$(say) $$(call link,$(1),$$^ -lcmocka)

$(BUILD)/$(1)/tests/programs/%: $(BUILD)/$(1)/obj/tests/programs/%.o $$(call public_library,$(1))
	@mkdir -p $$(@D)
	$$(say) $$(call link,$(1),$$^)

$(BUILD)/$(1)/examples/%: $(BUILD)/$(1)/obj/examples/%.o $$(call public_library,$(1))
	@mkdir -p $$(@D)
	$$(say) $$(call link,$(1),$$^)

$(BUILD)/$(1)/obj/src/service/python.o: python/mitosis/modules.py
$(BUILD)/$(1)/obj/src/cli/python_run.o: src/cli/mitosis_run.py

$(BUILD)/$(1)/mitosis-copy: $$(call objects,$(1),$$(COPY_C)) $$(call public_library,$(1))
	$$(say) $$(call link,$(1),$$^)

$(BUILD)/$(1)/obj/src/cli/image.o: $(BUILD)/$(1)/mitosis-copy
$(BUILD)/$(1)/obj/src/cli/image.o: private CPPFLAGS += -DMITO_COPY='"$(BUILD)/$(1)/mitosis-copy"'

# The one object that the commit is in.
$(BUILD)/$(1)/obj/src/cli/main.o: $(BUILD)/commit
$(BUILD)/$(1)/obj/src/cli/main.o: private CPPFLAGS += -DMITO_COMMIT='"$(COMMIT)"'

$(BUILD)/$(1)/mitosis: $$(call objects,$(1),$$(CLI_C)) $$(call public_library,$(1))
	$$(say) $$(call link,$(1),$$^)
endef

$(BUILD)/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@

# What a program links with. Sanitizers keep metadata between the sections of an object, which a
# partial link would mix up: there the plain objects stand in.
public_library = $(BUILD)/$(1)/$(if $(filter musl glibc $(FOREIGN),$(1)),libmitosis.a,libmitosis-internal.a)

# One object in which all but mito_* is local, so that no name of ours can meet one of the program's.
# --unique keeps sections of the same name apart: a static function that two files both have would
# otherwise drag the other one past the final link's --gc-sections.
define public_library_rules
$(BUILD)/$(1)/libmitosis.a: $$(call objects,$(1),$$(LIB_C)) $(BUILD)/$(1)/sources.list Makefile
	@rm -f $$@
	$$(say) $(call binutils,$(1),ld) -r --unique -o $(BUILD)/$(1)/mitosis.o \
			$$(call objects,$(1),$$(LIB_C)) && \
		$(call binutils,$(1),objcopy) --wildcard --keep-global-symbol='mito_*' \
			$(BUILD)/$(1)/mitosis.o && \
		$(call binutils,$(1),ar) rcsD $$@ $(BUILD)/$(1)/mitosis.o
endef

$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))
$(foreach v,musl glibc $(FOREIGN),$(eval $(call public_library_rules,$(v))))

$(BUILD)/glibc/tests/hosts/%: $(BUILD)/glibc/obj/tests/hosts/%.o
	@mkdir -p $(@D)
	$(say) $(call link,glibc,$^)

# The benchmark asks the library how long the frames are that it compares with.
$(BUILD)/musl/bench/bench: $(call objects,musl,$(BENCH_C)) $(BUILD)/musl/libmitosis-internal.a
	@mkdir -p $(@D)
	$(say) $(call link,musl,$^)

$(BUILD)/musl/bench/minimal: $(call objects,musl,bench/minimal.c) $(BUILD)/musl/libmitosis.a
	@mkdir -p $(@D)
	$(say) $(call link,musl,$^)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(call objects,fuzz,$(FUZZ_C)) \
		$(BUILD)/fuzz/libmitosis-internal.a
	$(say) $(call link,fuzz,$^)

# Warnings of the other compiler, without making anything.
$(BUILD)/clang/%.ok: %.c Makefile
	@mkdir -p $(@D)
	$(say) $(CLANG) $(STANDARD) $(CPPFLAGS) $(call include_dirs,$<) -MMD -MP -MF $(@:.ok=.d) -MT $@ \
		-fsyntax-only $<
	@touch $@

.PHONY: FORCE
FORCE:

-include $(foreach v,$(VARIANTS),$(patsubst %.o,%.d,$(call objects,$(v),$(ALL_C))))
-include $(ALL_C:%.c=$(BUILD)/clang/%.d)

# --------------------------------------------------------------------------------------------
# Other kinds of machine

$(foreach k,$(FOREIGN),$(eval $(call objects,$(k),$(ALL_C)): | $(KIT)/$(k)/cc))
$(foreach k,$(KINDS),$(eval $(KIT)/$(k)/cc: ; @tools/toolchain -n $(KIT) $(k)))

$(BUILD)/$(OWN)/%: $(BUILD)/musl/%
	@mkdir -p $(@D)
	@cp -p $< $@

# What compiles and links a program for a kind: its directory is installed as it is.
define kit_rules
$(KIT)/$(1)/lib/libmitosis.a: $(BUILD)/$(1)/libmitosis.a | $(KIT)/$(1)/cc
	@$(call binutils,$(1),objcopy) -g $$< $$@
$(KIT)/$(1)/include/mitosis.h: include/mitosis.h | $(KIT)/$(1)/cc
	@cp $$< $$@
endef
$(foreach k,$(KINDS),$(eval $(call kit_rules,$(k))))

# What tests/targets/test_targets.sh starts: for each kind the tests of what computes, and a program
# that is a context there. cmocka comes with the toolchains. (test_pickle takes 8 s there: it runs
# for one kind, of 32 bits.)
KIND_UNIT  := $(addprefix tests/unit/test_,buf err frame map signature text value pickle)
kind_unit   = $(addprefix $(BUILD)/$(1)/,$(if $(filter armv7,$(1)),$(KIND_UNIT),$(filter-out %pickle,$(KIND_UNIT))))
CMOCKA     := $(if $(MITOSIS_CACHE),$(MITOSIS_CACHE),$(KIT)/fetched)/cmocka
kind_tests  = $(if $(filter $(FOREIGN),$(1)),$(call kind_unit,$(1))) $(BUILD)/$(1)/tests/programs/kinds

define kind_test_rules
$(BUILD)/$(1)/libcmocka.a: Makefile | $(KIT)/$(1)/cc
	@mkdir -p $$(@D)
	$$(say) $(CC_$(1)) -Os -I$(CMOCKA)/include -D_UINTPTR_T $(addprefix -DHAVE_,SIGNAL_H STDINT_H \
			INTTYPES_H TIME_H UNISTD_H STRING_H STRINGS_H SYS_TYPES_H STRSIGNAL \
			STRUCT_TIMESPEC CLOCK_GETTIME CLOCK_REALTIME GCC_THREAD_LOCAL_STORAGE) \
			-c -o $$(@D)/cmocka.o $(CMOCKA)/src/cmocka.c && \
		$(call binutils,$(1),ar) rcsD $$@ $$(@D)/cmocka.o
$(call objects,$(1),$(KIND_UNIT:=.c) $(UNIT_C)): private CPPFLAGS += -I$(CMOCKA)/include -D_UINTPTR_T
$(KIND_UNIT:%=$(BUILD)/$(1)/%): $(BUILD)/$(1)/libcmocka.a
$(KIND_UNIT:%=$(BUILD)/$(1)/%): private LDFLAGS += -L$(BUILD)/$(1)
endef
$(foreach k,$(FOREIGN),$(eval $(call kind_test_rules,$(k))))

kit_files = $(KIT)/$(1)/lib/libmitosis.a $(KIT)/$(1)/include/mitosis.h $(BUILD)/$(1)/mitosis-copy
# Those whose tools are there, once `make targets` has looked.
ready     = $(filter-out $(shell sed 's/:.*//' $(KIT)/missing 2>/dev/null),$(KINDS))

.PHONY: targets target-files find-targets
targets: find-targets ## library and images for each kind of machine whose tools are there (tools/setup.sh targets), in build/KIND
	@$(MAKE) $(PARALLEL) target-files
	@sed 's/^/  not built: /' $(KIT)/missing
find-targets:
	@mkdir -p $(KIT)
	@tools/toolchain -n $(KIT) $(KINDS) >$(KIT)/missing || [ $$? -eq 3 ]
target-files: $(foreach k,$(ready),$(call kit_files,$(k)))
.PHONY: target-tests
target-tests: target-files $(foreach k,$(ready),$(call kind_tests,$(k)))

# --------------------------------------------------------------------------------------------
# Tests

# What waits for real hosts most of the time runs in the variants that find most, not in all three;
# what has one thread only is nothing for the thread sanitizer.
not_in_glibc := $(filter tests/e2e/test_hostile%,$(E2E))
# (Crashes are what sanitizers report; clang 14's address sanitizer does not bear a fork(2) without
# exec beside other threads.)
not_in_asan  := $(addprefix tests/e2e/test_,crash kinds first_stage bad_shape become fork ssh ssh_via \
                ssh_errors ssh_death)
not_in_tsan  := $(addprefix tests/e2e/test_,python crash kinds first_stage bad_shape become ssh \
                ssh_errors ssh_via ssh_death netem idle misuse fork stdio routing) \
                $(filter tests/e2e/test_hostile%,$(E2E)) \
                $(addprefix tests/unit/test_,pickle pickle_python value text format signature frame \
                sha256 bundle buf map list options config prompt first_stage)
tests_of      = $(filter-out $(not_in_$(1)),$(UNIT) $(E2E))

unit_programs = $(UNIT:%=$(BUILD)/$(1)/%)
e2e_programs  = $(E2E:%=$(BUILD)/$(1)/%)
fuzz_programs = $(FUZZERS:tests/fuzz/%=$(BUILD)/fuzz/%)

# What tools/run-tests gets: label=command, commas for spaces.
labels       = $(foreach t,$(2),$(t:tests/%=%)$(if $(filter glibc,$(1)),,:$(1))=$(BUILD)/$(1)/$(t))
run_variant  = $(call labels,$(1),$(call tests_of,$(1)))
run_fuzz     = $(foreach f,$(FUZZERS),check:$(f:tests/%=%)=$(BUILD)/fuzz/$(notdir $(f)),-runs=0,tests/fuzz/corpus/$(f:tests/fuzz/fuzz_%=%))
script_labels = $(foreach s,$(1),$(patsubst tests/%,%,$(s:.sh=))=$(s))
run_scripts  = $(call script_labels,$(SCRIPTS))
run_checks   = check:public-symbols=tools/check-symbols,$(BUILD)/musl/libmitosis.a,$(BUILD)/glibc/libmitosis.a \
               check:public-header=tools/check-header,$(BUILD)/musl/libmitosis.a \
               check:includes=tools/check-includes check:format=tools/check-format

# So many tests run at once: most of them wait most of the time.
TEST_JOBS ?= 4
export TEST_JOBS
RUN_TESTS = BUILD='$(abspath $(BUILD)/musl)' TOP='$(CURDIR)' BINUTILS='$(BINUTILS)' \
            tools/run-tests -t $(TEST_TIMEOUT) -f '$(TESTS)' -s $(BUILD)/test-summary
# A jobserver that was passed down is used; else one job per processor.
PARALLEL  = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: test
test: ## all but test-targets: installs what testing needs, builds all variants, runs all tests (TESTS=glob)
	@rm -f $(BUILD)/test-summary
	@BUILD='$(BUILD)' tools/setup.sh test
	@$(MAKE) $(PARALLEL) test-programs
	@tools/image-size $(BUILD)/musl
	@$(RUN_TESTS) $(run_checks) $(call run_variant,glibc) $(call labels,poll,$(POLL)) \
		$(call run_variant,asan) $(call run_variant,tsan) $(run_fuzz) $(run_scripts)

# The others are compiled by clang in the sanitizers' variants.
CLANG_ONLY = $(filter src/cli/% examples/% bench/% tests/programs/% tests/cli/%,$(ALL_C))
.PHONY: test-programs
test-programs: all $(CLANG_ONLY:%.c=$(BUILD)/clang/%.ok) $(BUILD)/glibc/libmitosis.a script-programs \
	$(foreach v,glibc asan tsan,$(addprefix $(BUILD)/$(v)/,$(call tests_of,$(v)))) \
	$(POLL:%=$(BUILD)/poll/%) $(fuzz_programs)

.PHONY: check
check: $(BUILD)/glibc/libmitosis.a $(call unit_programs,glibc) $(call e2e_programs,glibc) ## the C tests of the glibc variant alone: quick, installs nothing (TESTS=glob)
	@$(RUN_TESTS) $(call run_variant,glibc)

.PHONY: asan tsan
asan: $(call unit_programs,asan) $(call e2e_programs,asan) ## the C tests under address and undefined-behaviour sanitizers
	@$(RUN_TESTS) $(call run_variant,asan)
tsan: $(call unit_programs,tsan) $(call e2e_programs,tsan) ## the C tests under the thread sanitizer
	@$(RUN_TESTS) $(call run_variant,tsan)

.PHONY: scripts script-programs
script-programs: $(call kind_tests,$(OWN)) $(PROGRAMS:%=$(BUILD)/musl/%) $(HOSTS:%=$(BUILD)/glibc/%)
scripts: all script-programs ## the shell tests alone
	@$(RUN_TESTS) $(run_scripts)

.PHONY: test-hosts
test-hosts: ## the test hosts with accounts and with container engines, by themselves
	@$(RUN_TESTS) $(call script_labels,$(HOST_SCRIPTS))

.PHONY: test-targets
test-targets: ## installs the compilers for other kinds of machine, and tests what is made with them, under qemu
	@BUILD='$(BUILD)' tools/setup.sh targets
	@$(MAKE) targets
	@$(MAKE) $(PARALLEL) all script-programs target-tests
	@$(RUN_TESTS) $(call script_labels,$(TARGET_SCRIPTS))

.PHONY: check-clang
check-clang: $(ALL_C:%.c=$(BUILD)/clang/%.ok) ## every source through clang's warnings

.PHONY: lint
lint: $(BUILD)/musl/libmitosis.a $(BUILD)/glibc/libmitosis.a ## public symbols and header, includes between rooms, format
	@$(RUN_TESTS) $(run_checks)

.PHONY: fuzz
fuzz: $(fuzz_programs) ## each fuzz target for FUZZ_SECONDS; finds go to build/fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tools/fuzz $(BUILD)/fuzz $(notdir $(fuzz_programs))

.PHONY: bench
bench: all script-programs $(BENCHES:%=$(BUILD)/musl/%) ## builds and runs the benchmarks: all of them as root, after tools/setup.sh bench (BENCH=names)
	@BUILD='$(abspath $(BUILD)/musl)' TOP='$(CURDIR)' bench/run

.PHONY: demo
demo: ## installs what building needs, builds and runs examples/demo.c
	@tools/setup.sh build
	@$(MAKE) $(PARALLEL) $(BUILD)/musl/examples/demo
	@$(BUILD)/musl/examples/demo

.PHONY: format
format: ## clang-format on every C file, in place
	@tools/check-format --fix

# --------------------------------------------------------------------------------------------
# Installing

# Where Debian's Python looks: for its own packages, and for those in /usr/local.
PYTHONDIR      = $(PREFIX)/lib/$(if $(filter /usr,$(PREFIX)),python3,$(PYTHON_VERSION))/dist-packages
PYTHON_VERSION = $(or $(shell /usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null),python3)
PYTHON_FILES   = $(sort $(wildcard python/mitosis/*.py))

MAN_PAGES = $(sort $(wildcard docs/man/*.[1357]))
man_path  = $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

# The kinds that were built, and what they share.
kits = $(if $(kits_built),$(kits_built) $(notdir $(wildcard $(KIT)/kernel)))
kits_built = $(patsubst $(KIT)/%/lib/libmitosis.a,%,$(wildcard $(KIT)/*/lib/libmitosis.a))

.PHONY: install
install: library command $(BUILD)/glibc/libmitosis.a ## header, library, command, pkg-config file, man pages, package for Python, what make targets built (PREFIX, DESTDIR, PYTHONDIR)
	install -d '$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(PREFIX)/lib/pkgconfig' \
		'$(DESTDIR)$(PREFIX)/bin'
	install -m 644 include/mitosis.h '$(DESTDIR)$(PREFIX)/include/mitosis.h'
	objcopy -g $(BUILD)/glibc/libmitosis.a '$(DESTDIR)$(PREFIX)/lib/libmitosis.a'
	chmod 644 '$(DESTDIR)$(PREFIX)/lib/libmitosis.a'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/mitosis.pc.in \
		>'$(DESTDIR)$(PREFIX)/lib/pkgconfig/mitosis.pc'
	chmod 644 '$(DESTDIR)$(PREFIX)/lib/pkgconfig/mitosis.pc'
	$(if $(CLI_C),install -m 755 $(BUILD)/musl/mitosis '$(DESTDIR)$(PREFIX)/bin/mitosis')
	$(foreach m,$(MAN_PAGES),install -D -m 644 $(m) '$(call man_path,$(m))' &&) :
	rm -rf '$(DESTDIR)$(PYTHONDIR)/mitosis' '$(DESTDIR)$(PREFIX)/lib/mitosis'
	install -d '$(DESTDIR)$(PYTHONDIR)/mitosis'
	install -m 644 $(PYTHON_FILES) '$(DESTDIR)$(PYTHONDIR)/mitosis'
	$(foreach k,$(kits),install -d '$(DESTDIR)$(PREFIX)/lib/mitosis' && \
		cp -R $(KIT)/$(k) '$(DESTDIR)$(PREFIX)/lib/mitosis/' &&) :
	$(if $(kits),chmod -R go=u-w '$(DESTDIR)$(PREFIX)/lib/mitosis')

# Of the programs that were built last: by their build ids.
debug_of_command = for p in mitosis mitosis-copy; do \
		f=$$(BINUTILS='$(BINUTILS)' tools/split-debug --name $(BUILD)/musl/$$p) || exit; $(1) || exit; done
installed_debug = '$(DESTDIR)$(PREFIX)/lib/debug/'"$$f"
.PHONY: install-debug
install-debug: command ## what mitosis image symbolize needs for crashes of the command's own images
	$(call debug_of_command,install -D -m 644 $(BUILD)/musl/debug/$$f $(installed_debug))

.PHONY: uninstall
uninstall: ## removes what install put there
	rm -rf '$(DESTDIR)$(PYTHONDIR)/mitosis' '$(DESTDIR)$(PREFIX)/lib/mitosis'
	rm -f '$(DESTDIR)$(PREFIX)/include/mitosis.h' '$(DESTDIR)$(PREFIX)/lib/libmitosis.a' \
		'$(DESTDIR)$(PREFIX)/lib/pkgconfig/mitosis.pc' '$(DESTDIR)$(PREFIX)/bin/mitosis' \
		$(foreach m,$(MAN_PAGES),'$(call man_path,$(m))')
	$(if $(wildcard $(BUILD)/musl/mitosis),$(call debug_of_command,rm -f $(installed_debug)))

# --------------------------------------------------------------------------------------------

.PHONY: clean
clean: ## removes build
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\)\( [a-z]*\)*:.*## \(.*\)$$/\1 \3/p' Makefile | \
		while read -r target text; do printf '%-13s %s\n' "$$target" "$$text"; done
