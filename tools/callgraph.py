"""callgraph.py - the call graph of a whole C program, from LLVM's intermediate representation of its files.

clang writes that for each file without optimisation: it has every call, and every use of a function's
address. Where an indirect call leads is decided by where its pointer was loaded from:

  - a field of a struct (call_terminus.push, h2io_ops.event, timer.fire, ...): to each function that an
    initialiser or an assignment anywhere puts into that field of that type, in whatever object;
  - a parameter: to what the callers of its function pass there;
  - a variable or a table: to what is stored in it;
  - anything else (a returned pointer, a union, a place that is also written through a pointer): to each
    function of that signature whose address is used at all.

A function that is passed to one outside the program, such as qsort, counts as called by who passes it; so does
each that a field holds of a struct whose address is passed there, as a z_stream's is to inflate.
The graph overstates (objects of one type are not told apart), and misses nothing as long as pointers to
functions are kept and copied as what they are: the compilers' warnings about casts of function types are
errors here, and no struct is written byte by byte from anything but another one of its type.

    graph = read(root, paths); graph.calls is {function: {callee: how that is known}}

Functions are named 'src/net/loop.c:loop_run', those outside the program '@qsort'.
"""
import concurrent.futures
import os
import re
import subprocess

CLANG = ["clang", "-S", "-emit-llvm", "-O0", "-g1", "-w", "-std=gnu11", "-D_GNU_SOURCE", "-DWEIR_DEBUG=0",
         '-DWEIR_VERSION=""', "-Isrc", "-o", "-"]

ATTRIBUTE = re.compile(r"\b(?:noundef|zeroext|signext|nonnull|inreg|noalias|nocapture|readonly|readnone|returned"
                       r"|align \d+|dereferenceable\(\d+\)|byval\([^)]*\)|sret\([^)]*\)) ?")
LINKAGE = re.compile(r"^(?:define|declare)(?: (?:dso_local|internal|available_externally|linkonce_odr|weak|hidden))*")
TYPE_COPY = re.compile(r"(%(?:struct|union)\.[\w.]*?)\.\d+\b")  # of types with one name, clang numbers all but one
VALUE = r"%(?!struct\.|union\.)[\w.]+"
CALLEE = re.compile(rf"(@[\w.$]+|{VALUE})\(")
NAME = re.compile(r"@([\w.$]+)")
OPERATOR = re.compile(r"(.*\S) +((?:bitcast|getelementptr|getelementptr inbounds|ptrtoint|inttoptr)$)")
TRAILING = re.compile(r", ![a-z]\w* !\d+| (?:monotonic|acquire|release|acq_rel|seq_cst)\b")


def compile_file(path, root="."):
    """The intermediate representation of one file. Raises ValueError with what clang says."""
    done = subprocess.run([*CLANG, path], cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise ValueError(f"clang cannot compile {path}:\n{done.stderr}")
    return done.stdout


def read_unit(root, path):
    return Unit(path, compile_file(path, root))


def read(root, paths):
    """The graph of the program that these files, named from `root`, are."""
    with concurrent.futures.ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return Graph(list(pool.map(read_unit, [root] * len(paths), paths, chunksize=4)))


# ---- the text: types, lists, brackets ----

def clean(text):
    return TYPE_COPY.sub(r"\1", ATTRIBUTE.sub("", text)).strip()


def split(text):
    """The parts of a list: `text` at its outermost commas."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


def bracket(text, at):
    """What is inside the bracket that opens at text[at]."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "([{<") - (text[i] in ")]}>")
        if depth == 0:
            return text[at + 1:i]
    raise ValueError(f"a bracket does not close in {text}")


def typed(text):
    """'void (i8*)* noundef @f' -> ('void (i8*)*', '@f'): the value is what follows the type."""
    text, depth = clean(text), 0
    for i in range(len(text) - 1, -1, -1):
        depth += (text[i] in ")]}>") - (text[i] in "([{<")
        if text[i] == " " and depth == 0:
            m = OPERATOR.match(text[:i])  # of a constant expression: it is part of the value
            return (m[1], text[len(m[1]):].strip()) if m else (text[:i].strip(), text[i + 1:])
    return text, ""


def is_function_pointer(type_text):
    return type_text.endswith(")*")


def pointed(type_text):
    """The signature that a pointer to a function has."""
    return clean(type_text)[:-1].strip()


def head_of(line):
    """(name, signature, [(type, parameter's name)]) of a line that defines or declares a function."""
    m = CALLEE.search(line)
    params = []
    for p in split(bracket(line, m.end() - 1)):
        p = clean(p)
        named = re.search(rf" ({VALUE})$", p)
        params.append((p[:named.start()].strip(), named[1]) if named else (p, None))
    returned = clean(LINKAGE.sub("", line[:m.start()]))
    return m[1][1:], f"{returned} ({', '.join(t for t, _ in params)})", params


class Unit:
    """What one file says of the graph. Places that hold pointers to functions are tuples: ('field', struct,
    index), ('global', name), ('param', function, index), ('local', function, name). Sources are places,
    ('function', name) or ('any', signature): unknown."""

    def __init__(self, path, text):
        self.path = path
        self.types = {}      # %struct.x: [type of each field]
        self.functions = {}  # name in this file: (name in the graph, signature)
        self.defined = {}    # name in the graph: ([signature of each parameter, None: no pointer to a function],
        #                      is it visible in other files)
        self.calls = []      # (caller, callee)
        self.indirect = []   # (caller, source of the pointer, its signature)
        self.passed = []     # (caller, callee, index of the parameter, source)
        self.lent = []       # (caller, callee, struct whose address it passes)
        self.flows = []      # (place, source, signature)
        self.taken = {}      # functions whose address is used: signature
        self.unplaced = []   # (signature, source): stored somewhere, so any place of that signature may hold it
        self.private = set()  # variables that other files do not see
        if re.search(r"^(?:define|declare) .*\bptr\b", text, re.M):
            raise ValueError(f"{path}: this clang writes pointers without their types; up to version 14 it does not")
        lines = re.sub(r' c"[^"]*"', ' c""', text).splitlines()
        self._read_names(lines)
        body = None
        for line in lines:
            if line.startswith("define "):
                body = [line]
            elif body is not None and line == "}":
                Body(self, body)
                body = None
            elif body is not None:
                body.append(TRAILING.sub("", line))
            elif line.startswith("@"):
                self._read_variable(line)

    def _read_names(self, lines):
        """Types, variables and functions; the debug information has the file that a function is written in."""
        files, file_of = {}, {}
        for line in lines:
            m = re.match(r'(!\d+) = (?:!DIFile\(filename: "([^"]*)"|distinct !DISubprogram\(.* file: (!\d+))', line)
            if m and m[2]:
                files[m[1]] = os.path.normpath(m[2])
            elif m:
                file_of[m[1]] = m[3]
            elif re.match(r"%\S+ = type <?\{", line):
                name, _, fields = line.partition(" = type ")
                self.types[clean(name)] = split(clean(fields).strip("<>")[1:-1])
            elif line.startswith("@") and re.match(r"@[\w.$]+ = (?:internal|private) ", line):
                self.private.add(NAME.match(line)[1])
        for line in lines:
            if line.startswith("declare "):
                name, signature, _ = head_of(line)
                self.functions[name] = ("@" + name, signature)
            elif line.startswith("define "):
                name, signature, params = head_of(line)
                program = re.search(r"!dbg (!\d+)", line)[1]
                node = f"{files[file_of[program]]}:{name}"
                visible = not line.startswith("define internal ")
                self.defined[node] = ([pointed(t) if is_function_pointer(t) else None for t, _ in params], visible)
                self.functions[name] = (node, signature)

    def take_functions(self, text):
        """The functions whose names are in `text` have their addresses used."""
        found = [self.functions[n] for n in NAME.findall(text) if n in self.functions]
        self.taken.update(found)
        return [(("function", name), signature) for name, signature in found]

    def variable(self, name):
        return ("global", f"{self.path}:{name}" if name in self.private else "@" + name)

    def _read_variable(self, line):
        m = re.match(r"@([\w.$]+) = .*?\b(?:global|constant) (.*)", line)
        if m and not m[1].startswith("llvm."):
            self._read_initialiser(split(m[2])[0], self.variable(m[1]))

    def _read_initialiser(self, text, place):
        if not any(n in self.functions for n in NAME.findall(text)):
            return
        type_text, value = typed(text)
        if value.startswith(("{", "<{")):
            # A type that the file uses for nothing else stands there as the list of its fields.
            for i, part in enumerate(split(value.strip("<>")[1:-1])):
                self._read_initialiser(part, ("field", type_text, i))
        elif value.startswith("["):
            for part in split(value[1:-1]):
                self._read_initialiser(part, place)
        else:
            for source, signature in self.take_functions(value):
                self.flow(place, source, signature + "*")

    def flow(self, place, source, type_text):
        if place:
            self.flows.append((place, source, pointed(type_text)))
        else:
            self.unplaced.append((pointed(type_text), source))

    def field(self, type_text, indices):
        """The innermost field that a getelementptr leads to, or None."""
        found = None
        for i in indices[1:]:
            if type_text.startswith("["):
                type_text = type_text[type_text.index(" x ") + 3:-1]
            elif type_text.startswith("%struct."):
                found = ("field", type_text, int(i))
                type_text = self.types[type_text][int(i)]
            else:
                return None
        return found


class Body:
    """One function: adds its calls and flows to those of its unit."""

    def __init__(self, unit, lines):
        name, _, params = head_of(lines[0])
        self.unit, self.node = unit, unit.functions[name][0]
        self.params = {value: ("param", self.node, i) for i, (_, value) in enumerate(params) if value}
        self.values = {}
        for line in lines[1:]:
            m = re.match(rf"  ({VALUE}) = (.*)", line)
            if m:
                self.values[m[1]] = m[2]
        for line in lines[1:]:
            call = re.search(r"(?:^| )call (?!.*\basm\b)(.*)", line)
            if call:
                self._read_call(call[1])
            else:
                self.unit.take_functions(line)
                self._read_store(line)

    def _read_store(self, line):
        m = re.match(r"  (?:store|(?:%\S+ = )?(?P<exchange>cmpxchg|atomicrmw)) (.*)", line)
        if not m:
            return
        if m["exchange"]:
            held = self.uncast(typed(re.sub(r"^.*?(?=i64\*)", "", split(m[2])[0]))[1])[1]
            if held:  # what an atomic exchange stores is not followed
                self.unit.flow(None, ("any", pointed(held)), held)
            return
        value, target = split(re.sub(r"^(?:volatile |atomic )*", "", m[2]))[:2]
        (type_text, value), target = typed(value), typed(target)[1]
        if type_text == "i64":  # an atomic pointer is stored as a number
            type_text = self.uncast(target)[1] or type_text
        if is_function_pointer(type_text):
            for source in self.sources(value, type_text):
                self.unit.flow(self.place(target), source, type_text)

    def uncast(self, pointer):
        """(the pointer to a pointer to a function that `pointer` is a cast of, what that points to), (pointer, None)
        when it is no cast; (None, None) when it is one of something else."""
        held, cast = None, False
        while True:
            made = self.values.get(pointer, pointer)  # a constant expression and a parameter are themselves
            if not made.startswith("bitcast "):
                return (None, None) if cast and not held else (pointer, held)
            inner = bracket(made, made.index("(")) if made is pointer else made[len("bitcast "):]
            type_text, pointer = typed(inner.rpartition(" to ")[0])
            cast = True
            # {}: the type of the functions was not complete where the struct was laid out.
            if type_text == "{}**" or is_function_pointer(type_text[:-1]):
                held = type_text[:-1]
            elif type_text != "i64*":
                return None, None

    def _read_call(self, text):
        m = CALLEE.search(text) or re.search(r"bitcast \(.*?(@[\w.$]+) to .*?\)(\()", text)
        arguments = split(bracket(text, m.end() - 1))
        for argument in arguments:
            self.unit.take_functions(argument)
        if m[1].startswith("@llvm."):
            return
        if m[1].startswith("%"):
            signature = clean(text[:m.start()])
            if not signature.endswith(")"):
                signature += f" ({', '.join(typed(a)[0] for a in arguments)})"
            for source in self.sources(m[1], signature + "*"):
                self.unit.indirect.append((self.node, source, signature))
            return
        callee = self.unit.functions[m[1][1:]][0]
        self.unit.calls.append((self.node, callee))
        for i, argument in enumerate(arguments):
            type_text, value = typed(argument)
            if is_function_pointer(type_text):
                for source in self.sources(value, type_text):
                    self.unit.passed.append((self.node, callee, i, source))
            elif type_text.startswith("%struct."):
                self.unit.lent.append((self.node, callee, type_text.rstrip("*")))

    def sources(self, value, type_text):
        """Where the pointer may come from."""
        todo, seen, found = [value], set(), []
        while todo:
            v = todo.pop()
            if v in seen or v in ("null", "undef"):
                continue
            seen.add(v)
            functions = self.unit.take_functions(v)
            if functions:
                found += [function for function, _ in functions]
            elif v in self.params:
                found.append(self.params[v])
            else:
                copies, place = self.step(self.values.get(v, ""))
                todo += copies
                if not copies:
                    found.append(place or ("any", pointed(type_text)))
        return found

    def step(self, made):
        """(the values that this one is a copy of, the place that it is loaded from)"""
        if made.startswith("load "):
            return [], self.place(typed(split(made)[1])[1])
        if made.startswith("phi "):
            return [split(x)[0] for x in re.findall(r"\[ (.*?) \]", made[made.index(")*"):])], None
        if made.startswith("select "):
            return [typed(x)[1] for x in split(made)[1:]], None
        return [], None

    def place(self, pointer):
        """What a pointer to a pointer to a function points to; None when that is not known."""
        while True:
            pointer = self.uncast(pointer)[0]
            if not pointer:
                return None
            made = self.values.get(pointer, pointer)
            if made.startswith("@"):
                return self.unit.variable(made[1:])
            if made.startswith("alloca "):
                return ("local", self.node, pointer)
            if not made.startswith("getelementptr "):
                return None
            inner = bracket(made, made.index("(")) if made is pointer else re.sub(r"^\w+ (inbounds )?", "", made)
            base_type, base, *indices = split(inner)
            field = self.unit.field(clean(base_type), [typed(i)[1] for i in indices])
            if field or not base_type.startswith("["):
                return field
            pointer = typed(base)[1]  # an element of a table: all of them are one place


class Graph:
    """The graph of a program: `calls` is {function: {callee: how that is known}}."""

    def __init__(self, units):
        self.params, self.visible = {}, {}  # of the functions that the program defines
        for u in units:
            for node, (params, visible) in u.defined.items():
                self.params[node] = params
                if visible:
                    self.visible.setdefault("@" + node.rpartition(":")[2], set()).add(node)
        self.structs = {}  # '{ fields }': the structs that have them
        for u in units:
            for name, fields in u.types.items():
                if name.startswith("%struct."):
                    self.structs.setdefault(f"{{ {', '.join(fields)} }}", set()).add(name)
        self.by_signature = {}
        for u in units:
            for name, signature in u.taken.items():
                self.by_signature.setdefault(signature, set()).update(self._nodes(name))
        self._fill_places(units)
        self.calls = {node: {} for node in self.params}
        for u in units:
            self._add_calls(u)

    def _nodes(self, name):
        """The functions that a name in one file stands for."""
        return self.visible.get(name, {name})

    def _is_outside(self, name):
        return name not in self.visible and name not in self.params

    def _fill_places(self, units):
        """Which functions each place may hold: what flows in, until nothing changes any more."""
        self.holds, self.onward, self.unplaced = {}, {}, {}
        for u in units:
            for place, source, signature in u.flows:
                for p in self._named(place) or [("unplaced", signature)]:
                    self._flow(p, source)
            for _, callee, i, source in u.passed:
                for node in self._nodes(callee):
                    if node in self.params:
                        self._flow(("param", node, i), source)
            for signature, source in u.unplaced:
                self._flow(("unplaced", signature), source)
        for node in set().union(*self.by_signature.values()) & set(self.params):
            # Who calls it through a pointer passes what is not known.
            for i, signature in enumerate(self.params[node]):
                if signature:
                    self._flow(("param", node, i), ("any", signature))
        todo = list(self.holds)
        while todo:
            place = todo.pop()
            for target in self.onward.get(place, ()):
                held = self.holds.setdefault(target, set())
                if not self.holds[place] <= held:
                    held |= self.holds[place]
                    todo.append(target)

        self.fields = {}  # struct: its places
        for place in self.holds:
            if place[0] == "field":
                self.fields.setdefault(place[1], []).append(place)

    def _named(self, place):
        """The places that a field of a struct without a name may be: one of each struct with the same fields."""
        if place[0] != "field" or place[1].startswith("%struct."):
            return [place]
        return [("field", name, place[2]) for name in self.structs.get(place[1], ())]

    def _flow(self, place, source):
        if source[0] in ("function", "any"):
            self.holds.setdefault(place, set()).update(self._leads_to(source))
        else:
            self.onward.setdefault(source, set()).add(place)

    def _leads_to(self, source):
        if source[0] == "function":
            return self._nodes(source[1])
        if source[0] == "any":
            return self.by_signature.get(source[1], set())
        return self.holds.get(source, set())

    def _add_calls(self, u):
        for caller, callee in u.calls:
            self.calls[caller].update(dict.fromkeys(self._nodes(callee), "direct"))
        for caller, callee, _, source in u.passed:
            if self._is_outside(callee):
                self._add_indirect(caller, self._leads_to(source), f"passed to {callee[1:]}")
        for caller, callee, struct in u.lent:
            for place in self.fields.get(struct, ()) if self._is_outside(callee) else ():
                self._add_indirect(caller, self.holds[place], f"passed to {callee[1:]}")
        for caller, source, signature in u.indirect:
            self._add_indirect(caller, self._leads_to(source), " ".join(str(x) for x in source))
            self._add_indirect(caller, self._leads_to(("unplaced", signature)), f"unplaced {signature}")

    def _add_indirect(self, caller, callees, how):
        for callee in callees:
            self.calls[caller].setdefault(callee, how)


def cycles(calls):
    """The strongly connected components that have a cycle, each as a sorted list (Tarjan's algorithm)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in sorted(calls):
        if root in index:
            continue
        work = [(root, iter(sorted(calls[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, callees = work[-1]
            for callee in callees:
                if callee in index or callee not in calls:
                    if callee in on_stack:
                        low[node] = min(low[node], index[callee])
                    continue
                index[callee] = low[callee] = len(index)
                stack.append(callee)
                on_stack.add(callee)
                work.append((callee, iter(sorted(calls[callee]))))
                break
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    members, stack[at:] = stack[at:], []
                    on_stack.difference_update(members)
                    if len(members) > 1 or node in calls[node]:
                        found.append(sorted(members))
    return found
