#!/usr/bin/python3
"""tools/check-cycles against small programs that have a cycle of calls of each kind, and lists that are right and
wrong about them."""
import contextlib
import io
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import cases, check, check_eq, run, skip, test  # noqa: E402
from load import TOOLS, load_tool  # noqa: E402

sys.path.insert(0, TOOLS)
cycles = load_tool("check-cycles")

# A direct, a mutual and an indirect cycle. The second leads through two files and the third through a field.
OPS = "struct ops { void (*event)(int); void (*other)(int); };\nvoid mutual_b(int n);\nvoid handle(int n);\n"
PROGRAM = {
    "src/ops.h": OPS,
    "src/a.c": '#include "ops.h"\n'
               "void direct(int n); void direct(int n) { if (n) direct(n - 1); }\n"
               "void mutual_a(int n); void mutual_a(int n) { mutual_b(n); }\n",
    "src/b.c": '#include "ops.h"\n'
               "void mutual_a(int n);\n"
               "void mutual_b(int n) { if (n) mutual_a(n - 1); }\n",
    "src/c.c": '#include "ops.h"\n'
               "static void leaf(int n) { (void)n; }\n"
               "static const struct ops ops = {.event = handle, .other = leaf};\n"
               "static void dispatch(const struct ops *o, int n) { o->event(n); }\n"
               "void handle(int n) { if (n) dispatch(&ops, n - 1); }\n",
}
LIST = """
- cycle: one
  functions: [src/a.c:direct]
  bounded_at: ["src/a.c:direct -> src/a.c:direct"]
  why: n falls
- cycle: two
  functions: [src/a.c:mutual_a, src/b.c:mutual_b]
  bounded_at: ["src/b.c:mutual_b -> src/a.c:mutual_a"]
  why: n falls
- cycle: three
  functions: ["src/c.c:*"]
  bounded_at: ["src/c.c:handle -> src/c.c:dispatch"]
  why: n falls
"""


def judged(files, listed="[]"):
    """What the tool says on a program of these files; "" when it accepts it."""
    if not shutil.which("clang"):
        skip("clang is not installed")
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**files, cycles.LIST: listed}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as f:
                f.write(text)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            status = cycles.main([root])
        check_eq(status, 1 if said.getvalue() else 0, said.getvalue())
        return said.getvalue()


def finds(text, *words):
    for word in words:
        check(word in text, f"{word!r} is not in {text!r}")


@test
def a_direct_a_mutual_and_an_indirect_cycle_are_found_with_their_paths():
    said = judged(PROGRAM)
    check_eq(said.count("error:"), 3, said)
    finds(said, "src/a.c:direct\n    -> src/a.c:direct\n",
          "src/a.c:mutual_a\n    -> src/b.c:mutual_b\n    -> src/a.c:mutual_a\n",
          "src/c.c:dispatch\n    -> src/c.c:handle  (by field %struct.ops 0)\n    -> src/c.c:dispatch\n")


@test
def a_list_that_names_them_is_accepted():
    check_eq(judged(PROGRAM, LIST), "")


@test
def a_program_without_a_cycle_needs_no_list():
    check_eq(judged({"src/a.c": "int one(void); int two(void);\n"
                                "int one(void) { return 1; } int two(void) { return one() + one(); }\n"}), "")


# How a pointer to `again` may get to where it is called; `start` calls that place.
WAYS = {
    "an assignment to a field": "struct s { void (*f)(void); }; static struct s s;\n"
                                "static void set(void) { s.f = again; }\n"
                                "static void start(void) { set(); s.f(); }\n",
    "a field of a copied struct": "struct s { int n; void (*f)(void); }; static const struct s one = {1, again};\n"
                                  "static void start(void) { struct s copy = one; copy.f(); }\n",
    "a field of a struct in an array": "struct s { int n; void (*f)(void); };\n"
                                       "static const struct s all[] = {{1, again}, {2, 0}};\n"
                                       "static void start(void) { for (int i = 0; i < 1; i++) all[i].f(); }\n",
    "an array in a struct": "struct s { void (*f[2])(void); }; static const struct s one = {{0, again}};\n"
                            "static void start(void) { one.f[1](); }\n",
    "a table": "static void (*const table[])(void) = {again};\n"
               "static void start(void) { for (int i = 0; i < 1; i++) table[i](); }\n",
    "a global variable": "void (*hook)(void);\nstatic void set(void) { hook = again; }\n"
                         "static void start(void) { set(); hook(); }\n",
    "a choice": "int n; static void start(void) { void (*f)(void) = n ? again : 0; f(); }\n",
    "a parameter": "static void with(int n, void (*f)(void)) { void (*g)(void) = n ? f : 0; g(); }\n"
                   "static void start(void) { with(1, again); }\n",
    "a parameter of a function that is called through a pointer":
        "static void with(void (*f)(void)) { f(); }\nstatic void (*const pass)(void (*)(void)) = with;\n"
        "static void start(void) { pass(again); }\n",
    "what a function returns": "static void (*find(void))(void) { return again; }\n"
                               "static void start(void) { find()(); }\n",
    "a union": "union u { long n; void (*f)(void); }; static union u u;\n"
               "static void set(void) { u.f = again; }\nstatic void start(void) { set(); u.f(); }\n",
    "an untyped pointer": "static void *any; static void set(void) { any = (void *)again; }\n"
                          "static void start(void) { set(); ((void (*)(void))any)(); }\n",
    "a place that is written through a pointer":
        "struct s { int n; void (*f)(void); }; static struct s s;\n"
        "static void set(void (**to)(void)) { *to = again; }\n"
        "static void start(void) { set(&s.f); s.f(); }\n",
    "an atomic variable": "static void (*_Atomic hook)(void);\n"
                          "static void set(void) { __c11_atomic_store(&hook, again, 5); }\n"
                          "static void start(void) { set(); void (*f)(void) = __c11_atomic_load(&hook, 5); f(); }\n",
    "an atomic exchange": "static void (*_Atomic hook)(void);\n"
                          "static void set(void) { __c11_atomic_exchange(&hook, again, 5); }\n"
                          "static void start(void) { set(); void (*f)(void) = __c11_atomic_load(&hook, 5); f(); }\n",
    "a struct that a function of the system gets":
        "struct s { int n; void (*f)(void); }; int inflate(struct s *s);\n"
        "static void start(void) { struct s s = {1, again}; inflate(&s); }\n",
    "a variable of each thread": "static __thread void (*hook)(void) = again;\n"
                                 "static void start(void) { hook(); }\n",
    "a function of the system": "int atexit(void (*f)(void)); static void start(void) { atexit(again); }\n",
}


@cases(*WAYS)
def a_cycle_is_found_through(way):
    said = judged({"src/a.c": "void again(void);\n" + WAYS[way] + "void again(void) { start(); }\n"})
    check_eq(said.count("error:"), 1, said)
    finds(said, "src/a.c:again", "src/a.c:start")


@test
def fields_of_one_signature_and_parameters_of_two_functions_are_told_apart():
    check_eq(judged({"src/a.c": '#include "ops.h"\n'
                                "static void leaf(int n) { (void)n; }\n"
                                "static const struct ops ops = {.event = leaf, .other = handle};\n"
                                "static void with(void (*f)(int)) { f(1); }\n"
                                "static void later(void (*f)(int)) { static void (*kept)(int); kept = f; }\n"
                                "void handle(int n) { ops.event(n); with(leaf); later(handle); }\n",
                     "src/ops.h": OPS}), "")


@test
def a_struct_whose_functions_are_known_only_elsewhere_is_followed():
    # The file with the table never looks into the struct, which clang then writes down without its name.
    check_eq(judged({"src/t.h": "struct t; struct t { const char *name; void (*event)(struct t *, int); int n; };\n"
                                "extern struct t table; void handle(struct t *t, int n); void leaf(struct t *, int);\n",
                     "src/a.c": '#include "t.h"\nstruct t table = {"x", handle, 0};\n'
                                "void leaf(struct t *t, int n) { (void)t; (void)n; }\n",
                     "src/b.c": '#include "t.h"\nvoid handle(struct t *t, int n) { t->event(t, n); }\n'})
             .count("src/b.c:handle"), 2)


@test
def tests_are_no_part_of_the_program():
    text = "void f(void); void f(void) { f(); }\n"
    check_eq(judged({"src/a.c": "int x;\n", "src/a_test.c": text, "src/a_fuzz.c": text}), "")


@test
def a_new_function_in_a_listed_cycle_is_refused():
    said = judged({**PROGRAM, "src/b.c": PROGRAM["src/b.c"].replace(
        "if (n) mutual_a", "extern void mutual_c(int); if (n) mutual_c(n); if (n) mutual_a"),
        "src/d.c": "void mutual_a(int n); void mutual_c(int n); void mutual_c(int n) { mutual_a(n); }\n"}, LIST)
    finds(said, "two: src/d.c:mutual_c takes part in it and is not listed",
          "two: this cycle avoids the calls at which it is bounded")


@test
def a_new_cycle_among_listed_functions_is_refused():
    said = judged({**PROGRAM, "src/c.c": PROGRAM["src/c.c"].replace("{ o->event(n); }",
                                                                    "{ o->event(n); dispatch(o, n); }")}, LIST)
    check_eq(said.count("error:"), 1, said)
    finds(said, "three: this cycle avoids the calls at which it is bounded:\n"
                "    src/c.c:dispatch\n    -> src/c.c:dispatch\n")


@test
def an_entry_whose_cycle_is_gone_is_refused():
    said = judged({**PROGRAM, "src/b.c": "void mutual_b(int n); void mutual_b(int n) { (void)n; }\n"}, LIST)
    check_eq(said, "tools/check-cycles: error: two: there is no such cycle any more\n")


@test
def a_function_and_a_bound_that_are_no_part_of_the_cycle_are_refused():
    said = judged(PROGRAM, LIST.replace("[src/a.c:direct]", "[src/a.c:direct, src/a.c:gone]"))
    check_eq(said, "tools/check-cycles: error: one: src/a.c:gone takes no part in it any more\n")
    said = judged(PROGRAM, LIST.replace('-> src/a.c:mutual_a"]',
                                        '-> src/a.c:mutual_a", "src/a.c:mutual_a -> src/x.c:y"]'))
    check_eq(said.count("error:"), 1, said)
    finds(said, "two: src/a.c:mutual_a -> src/x.c:y bounds nothing")


@cases("why", "bounded_at", "functions")
def an_entry_without_what_it_must_say_is_refused(key):
    lines = LIST.splitlines()
    at = next(i for i, line in enumerate(lines) if line.lstrip().startswith(key))
    finds(judged(PROGRAM, "\n".join(lines[:at] + lines[at + 1:])), "an entry must have the keys")


@test
def a_file_that_does_not_compile_and_a_tree_without_files_are_errors():
    finds(judged({"src/a.c": "int f(void) { return }\n"}), "clang cannot compile src/a.c", "expected expression")
    finds(judged({"src/a.h": ""}), "has no C file")


@test
def a_clang_that_writes_pointers_without_types_is_refused():
    try:
        cycles.callgraph.Unit("src/a.c", "define i32 @f(ptr noundef %0) {\n}\n")
    except ValueError as e:
        finds(str(e), "src/a.c", "version 14")
    else:
        check(False, "accepted")


if __name__ == "__main__":
    run()
