"""Attempts to get out of a sandbox. Each is a Python program that prints ESCAPED where it got out.

``bare``: it gets out where there is no sandbox (as root, on most machines), which shows that it can. The
others would do harm there, or want what only a sandbox has. What they look for is planted outside: see ``Planted``.
"""

from __future__ import annotations

from dataclasses import dataclass

PRELUDE = """
import array, ctypes, errno, fcntl, os, platform, resource, signal, socket, stat, struct, sys, time
P = {k[2:].lower(): v for k, v in os.environ.items() if k.startswith("P_")}
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
NR = dict(  # x86_64, aarch64
    ptrace=(101, 117), unshare=(272, 97), setns=(308, 268), clone=(56, 220), clone3=(435, 435),
    mount=(165, 40), umount2=(166, 39), pivot_root=(155, 41), open_tree=(428, 428), fsopen=(430, 430),
    open_by_handle_at=(304, 265), name_to_handle_at=(303, 264),
    add_key=(248, 217), keyctl=(250, 219), io_uring_setup=(425, 425), bpf=(321, 280),
    perf_event_open=(298, 241), userfaultfd=(323, 282), process_vm_readv=(310, 270), pidfd_open=(434, 434),
    pidfd_getfd=(438, 438), clock_settime=(227, 112), syslog=(103, 116), init_module=(175, 105),
    swapon=(167, 224), kcmp=(312, 272), memfd_secret=(447, 447), quotactl=(179, 60), acct=(163, 89),
)
def call(name, *args):
    number = NR[name][0 if X86 else 1] if isinstance(name, str) else name
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *args)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def escaped(what=""):
    print("ESCAPED", what, flush=True)
def status(pid, key):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(key + ":"):
            return line.split()[1]
"""


RUNNER = (
    PRELUDE
    + """
import json, traceback
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one of them signals to all
told = {}
for name, code in json.load(sys.stdin).items():
    child = os.fork()
    if child == 0:
        written = os.open("probe.out", os.O_CREAT | os.O_TRUNC | os.O_RDWR)
        os.dup2(written, 1), os.dup2(written, 2), os.close(written)
        signal.alarm(15)
        try: exec(code, dict(globals()))
        except BaseException: traceback.print_exc()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    told[name] = open("probe.out").read()
    for left in os.listdir("."):
        if os.path.islink(left) or os.path.isfile(left): os.unlink(left)
print(json.dumps(told))
"""
)
"""Takes probes (name to code) as JSON and tells what each printed."""


@dataclass(frozen=True)
class Probe:
    name: str
    code: str
    bare: bool = True


def _probe(name: str, code: str, *, bare: bool = True) -> Probe:
    return Probe(name, code, bare)


def _held(name: str, code: str) -> Probe:
    return Probe(name, code, bare=False)


FILES = [
    _probe("a file by its path", 'if open(P["secret"]).read(): escaped()'),
    _probe("a file by ..", 'if open("../" * 20 + P["secret"]).read(): escaped()'),
    _probe("a folder outside", 'if os.listdir(os.path.dirname(P["secret"])): escaped()'),
    _probe("the system's root", 'if os.path.exists("/root") or "boot" in os.listdir("/"): escaped()'),
    _probe("password hashes", 'if os.path.exists("/etc/shadow"): escaped()'),
    _probe("who may use the machine", 'if "daemon" in open("/etc/passwd").read(): escaped()'),
    _probe(
        "the machine's own settings",
        'if os.path.exists("/etc/hostname") or os.path.exists("/etc/fstab"): escaped()',
    ),
    _probe("a link to outside", 'os.symlink(P["secret"], "l")\nif open("l").read(): escaped()'),
    _probe("a hard link to outside", 'os.link(P["beside"], "h"); escaped()'),
    _probe("outside through the first process", 'if open("/proc/1/root" + P["secret"]).read(): escaped()'),
    _probe(
        "outside through any process",
        """
for pid in filter(str.isdigit, os.listdir("/proc")):
    for way in ("root", "cwd"):
        try:
            if open(f"/proc/{pid}/{way}" + "/.." * 20 * (way == "cwd") + P["secret"]).read(): escaped(pid)
        except OSError: pass
""",
    ),
    _probe(
        "a handle instead of a path",
        """
handle = struct.pack("Ii", 128, 0) + bytes(128)
buffer = ctypes.create_string_buffer(handle); mount = ctypes.c_int()
call("name_to_handle_at", -100, b"/usr", buffer, ctypes.byref(mount), 0); escaped()
""",
    ),
    _held(
        "open_by_handle_at",
        'call("open_by_handle_at", -100, ctypes.create_string_buffer(struct.pack("Ii", 8, 1) + bytes(8)), 0); escaped()',
    ),
    _probe("another's /tmp", 'if os.path.exists(P["tmp"]): escaped()'),
    _probe("another's /dev/shm", 'if os.path.exists(P["shm"]): escaped()'),
    _held("writing to /usr", 'open("/usr/reverie-probe", "w"); escaped()'),
    _held("writing to /", 'os.mkdir("/reverie-probe"); escaped()'),
    _held("writing to /etc", 'open("/etc/passwd", "a"); escaped()'),
    _held("writing to /dev", 'open("/dev/reverie-probe", "w"); escaped()'),
    _held("writing to a read-only mount", 'open("/mnt/session/uploads/plan.txt", "w"); escaped()'),
    _held(
        "renaming in a read-only mount",
        'os.rename("/mnt/session/uploads/plan.txt", "/mnt/session/uploads/x"); escaped()',
    ),
    _held("writing beside the mounts", 'os.mkdir("/mnt/session/more"); escaped()'),
    _held("removing a mount", 'os.rename("/mnt/session", "/mnt/other"); escaped()'),
    _held(
        "a link out of a read-only mount, made writable",
        'os.link("/mnt/session/uploads/plan.txt", "mine"); open("mine", "w"); escaped()',
    ),
]

MOUNTS = [
    _held("mounting", 'call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None); escaped()'),
    _held("mounting again, writable", 'call("mount", None, b"/usr", None, 32 | 4096, None); escaped()'),
    _held("unmounting", 'call("umount2", b"/workspace", 2); escaped()'),
    _held("pivot_root", 'call("pivot_root", b".", b"."); escaped()'),
    _held("chroot", 'os.chroot("."); escaped()'),
    _probe("open_tree", 'os.close(call("open_tree", -100, b"/", 1)); escaped()'),
    _probe("fsopen", 'os.close(call("fsopen", b"tmpfs", 0)); escaped()'),
    _held("a device of its own", 'os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)); escaped()'),
    _probe(
        "devices of the machine",
        'if any(os.path.exists("/dev/" + d) for d in ("kmsg", "mem", "kvm", "vda", "sda", "nvme0n1", "fuse", "loop0", "loop-control", "net")): escaped()',
    ),
    _probe("settings of the kernel", 'os.open("/proc/sys/kernel/hostname", os.O_WRONLY); escaped()'),
    _held("the program for core dumps", 'os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY); escaped()'),
    _held("sysrq", 'os.open("/proc/sysrq-trigger", os.O_WRONLY); escaped()'),
    _held("the kernel's memory", 'open("/proc/kcore", "rb").read(1); escaped()'),
    _probe("/sys and its cgroups", 'if os.listdir("/sys"): escaped()'),
]

PROCESSES = [
    _probe(
        "seeing others",
        """
mark = P["mark"][::-1].encode()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if mark in open(f"/proc/{pid}/cmdline", "rb").read(): escaped(pid)
    except OSError: pass
""",
    ),
    _probe(
        "a signal to another", 'if status(P["pid"], "Name") == "sleep": os.kill(int(P["pid"]), 0); escaped()'
    ),
    _held("a signal to all", "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.kill(-1, signal.SIGTERM)"),
    _held("a debugger on another", 'call("ptrace", 16, int(P["pid"]), 0, 0); escaped()'),
    _probe(
        "a debugger on a child",
        """
child = os.fork()
if child == 0:
    time.sleep(5); os._exit(0)
try:
    call("ptrace", 16, child, 0, 0); escaped()
finally:
    os.kill(child, 9)
""",
    ),
    _probe(
        "another's memory",
        """
local = ctypes.create_string_buffer(8); there = ctypes.create_string_buffer(b"xxxxxxx")
vectors = [struct.pack("PN", ctypes.addressof(b), 8) for b in (local, there)]
call("process_vm_readv", os.getpid(), vectors[0], 1, vectors[1], 1, 0); escaped()
""",
    ),
    _probe(
        "another's descriptors", 'call("pidfd_getfd", call("pidfd_open", os.getpid(), 0), 1, 0); escaped()'
    ),
    _probe("comparing processes", 'call("kcmp", os.getpid(), os.getpid(), 1, 0, 0); escaped()'),
    _probe(
        "variables of the server",
        """
mark = P["canary"][::-1]
if mark in "".join(os.environ.values()): escaped("own")
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if mark.encode() in open(f"/proc/{pid}/environ", "rb").read(): escaped(pid)
    except OSError: pass
""",
    ),
    _probe(
        "open descriptors",
        'for fd in range(3, 256):\n    try: os.fstat(fd); escaped(os.readlink(f"/proc/self/fd/{fd}"))\n    except OSError: pass',
    ),
    _held("the first process without a filter", 'if status(1, "Seccomp") != "2": escaped()'),
    _probe("more urgent than others", "os.nice(-5); escaped()"),
    _probe("the name of the machine", 'if socket.gethostname() == P["hostname"]: escaped()'),
]

NAMESPACES = [
    _probe("a user namespace", "call('unshare', 0x10000000); escaped()"),
    _probe(
        "a user namespace by clone",
        "pid = call('clone', 0x10000000 | 17, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nescaped()",
    ),
    _probe(
        "a user namespace by clone3",
        "args = struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0)\npid = call('clone3', args, len(args))\nif pid == 0: os._exit(0)\nescaped()",
    ),
    _probe("a network namespace", "call('unshare', 0x40000000); escaped()"),
    _probe("a mount namespace", "call('unshare', 0x20000); escaped()"),
    _probe("into a namespace", "call('setns', os.open('/proc/self/ns/uts', 0), 0); escaped()"),
    _held("more namespaces allowed", "os.open('/proc/sys/user/max_user_namespaces', os.O_WRONLY); escaped()"),
    _held(
        "another user's number", "os.write(os.open('/proc/self/uid_map', os.O_WRONLY), b'0 0 1'); escaped()"
    ),
]

KERNEL = [
    _probe("the keyring", 'call("add_key", b"user", b"reverie-probe", b"x", 1, -3); escaped()'),
    _probe("keyctl", 'call("keyctl", 0, -3, 0); escaped()'),
    _probe("io_uring", 'call("io_uring_setup", 1, ctypes.create_string_buffer(120)); escaped()'),
    _probe(
        "bpf", 'attr = struct.pack("4I", 2, 4, 4, 1) + bytes(56)\ncall("bpf", 0, attr, len(attr)); escaped()'
    ),
    _probe(
        "perf_event_open",
        'attr = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + bytes(96))\ncall("perf_event_open", attr, 0, -1, -1, 0); escaped()',
    ),
    _probe("userfaultfd", 'call("userfaultfd", 1); escaped()'),
    _probe(
        "a call that is newer than the filter",
        "try: call(467, -1, 0, 0, 0, 0)\nexcept OSError as e:\n    if e.errno != errno.ENOSYS: escaped(e.errno)",
    ),
    _probe(
        "calls of another architecture",
        """
if X86:
    import mmap
    code = mmap.mmap(-1, 4096, prot=7); code.write(bytes.fromhex("b814000000cd80c3"))  # getpid by int 0x80
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    if ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid(): escaped()
""",
        bare=False,  # only some kernels have it
    ),
    _held("calls of x32", "call(0x40000000 | 39); escaped()"),
    _held(
        "loading a module",
        'try: call("init_module", None, 0, b"")\nexcept OSError as e:\n    if e.errno != errno.EPERM: escaped()',
    ),
    _held("the clock", 'call("clock_settime", 0, struct.pack("qq", int(time.time()), 0)); escaped()'),
    _probe("the kernel's log", 'if call("syslog", 10, None, 0): escaped()'),
    _held("the name of the machine, changed", "socket.sethostname('mine'); escaped()"),
    _held(
        "typing into the terminal",
        'a, b = os.openpty()\ntry: fcntl.ioctl(b, 0x5412, b"x"); escaped()\nexcept OSError as e:\n    if e.errno != errno.EPERM: escaped(e.errno)',
    ),
    _held(
        "typing, with the upper half set",
        "a, b = os.openpty()\nif libc.ioctl(b, ctypes.c_ulong(0xF00005412), b'x') == 0: escaped()",
    ),
    _held(
        "swap",
        'try: call("swapon", b"/nowhere", 0)\nexcept OSError as e:\n    if e.errno != errno.EPERM: escaped()',
    ),
    _held(
        "accounting",
        'try: call("acct", b"/nowhere")\nexcept OSError as e:\n    if e.errno != errno.EPERM: escaped()',
    ),
]

NETWORK = [
    _probe(
        "a server on the machine", 'socket.create_connection(("127.0.0.1", int(P["port"])), 3); escaped()'
    ),
    _probe(
        "a server on the machine, by IPv6",
        'socket.create_connection(("::ffff:127.0.0.1", int(P["port"])), 3); escaped()',
    ),
    _probe(
        "UDP to the machine",
        """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5)
s.sendto(b"ping", ("127.0.0.1", int(P["udp"])))
if s.recv(9): escaped()
""",
    ),
    _held(
        "the address of metadata",
        's = socket.socket(); s.settimeout(3); s.connect(("169.254.169.254", 80)); escaped()',
    ),
    _held("the Internet", 's = socket.socket(); s.settimeout(3); s.connect(("1.1.1.1", 443)); escaped()'),
    _held("names", 'socket.getaddrinfo("example.org", 443); escaped()'),
    _probe(
        "an abstract socket", 's = socket.socket(socket.AF_UNIX); s.connect("\\0" + P["abstract"]); escaped()'
    ),
    _probe("a socket by its path", 's = socket.socket(socket.AF_UNIX); s.connect(P["unix"]); escaped()'),
    _probe("raw packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); escaped()"),
    _probe("raw IP", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); escaped()"),
    _held(
        "the hypervisor",
        "try: socket.socket(40, socket.SOCK_STREAM); escaped()\nexcept OSError as e:\n    if e.errno != errno.EAFNOSUPPORT: escaped()",
    ),
    _probe("the kernel's cryptography", "socket.socket(38, socket.SOCK_SEQPACKET); escaped()"),
    _held(
        "a family with the upper half set",
        "if libc.syscall(ctypes.c_long(41 if X86 else 198), ctypes.c_ulong(0x700000011), 3, 0) >= 0: escaped()",
    ),
    _probe("netlink beside the routes", "socket.socket(16, socket.SOCK_RAW, 15); escaped()"),
    _probe("interfaces", 'if [n for _, n in socket.if_nameindex() if n != "lo"]: escaped()'),
    _held(
        "another address",
        """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8916, struct.pack("16sHH4s8x", b"lo", 2, 0, socket.inet_aton("10.0.0.1"))); escaped()
""",
    ),
]

RIGHTS = [
    _probe("a program that lends its owner's rights", 'open("p", "w").close(); os.chmod("p", 0o4755); escaped()'),
    _probe("… by making it so", 'os.umask(0); os.open("q", os.O_CREAT | os.O_WRONLY, 0o4755); print(oct(os.stat("q").st_mode)); os.stat("q").st_mode & 0o6000 and escaped()'),
    _probe("capabilities", 'if int(status("self", "CapEff"), 16): escaped()'),
    _probe("new rights by exec", 'if status("self", "NoNewPrivs") != "1": escaped()'),
    _probe("programs with another's rights", 'if not os.statvfs("/usr").f_flag & os.ST_NOSUID: escaped()'),
    _held("devices on the workspace", 'if not os.statvfs("/workspace").f_flag & os.ST_NODEV: escaped()'),
    _held("root's number", "os.setuid(0); escaped()"),
    _held("groups", "os.setgroups([0]); escaped()"),
    _probe("core dumps", "resource.setrlimit(resource.RLIMIT_CORE, (1, 1)); escaped()"),
    _held("more processes", 'n = resource.getrlimit(resource.RLIMIT_NPROC)[1]\nif n > 4096: escaped()\nresource.setrlimit(resource.RLIMIT_NPROC, (n + 1, n + 1)); escaped()'),
    _held("locked memory", "import mmap\nm = mmap.mmap(-1, 1 << 20)\nif libc.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), 1 << 20) == 0: escaped()"),
]  # fmt: skip

PROBES = [*FILES, *MOUNTS, *PROCESSES, *NAMESPACES, *KERNEL, *NETWORK, *RIGHTS]
