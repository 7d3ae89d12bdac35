//! Tools that are Go packages: modules of ours that do nothing but pin the versions of others, and
//! one with a program of ours.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::provision::{cache, fresh, mark, once, sources, succeed};

const MISSING: &str = "the real test stack is built with Go: install Go 1.26 or later \
    (go.dev/doc/install) and run again";

/// One folder under `tests/stack/`.
pub(super) struct Module {
    name: &'static str,
    /// The upstream module whose version is the tools' version.
    upstream: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// What is left out or put in while it is built, as Go's `-tags` has it.
    tags: &'static str,
    /// A program of ours in this module; nothing where only tools of others are built.
    program: Option<&'static str>,
}

macro_rules! module {
    ($name:literal, $upstream:literal) => {
        Module {
            name: $name,
            upstream: $upstream,
            go_mod: include_str!(concat!("../../stack/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../../stack/", $name, "/go.sum")),
            tags: "",
            program: None,
        }
    };
}

pub(super) static KUBERNETES: Module = module!("kubernetes", "k8s.io/kubernetes");
/// The oldest whose modules are to be had, for a run by hand.
pub(super) static OLDEST: Module = module!("kubernetes-oldest", "k8s.io/kubernetes");
pub(super) static ETCD: Module = module!("etcd", "go.etcd.io/etcd/server/v3");
pub(super) static SOPS: Module = module!("sops", "github.com/getsops/sops/v3");
pub(super) static AGE: Module = module!("age", "filippo.io/age");
pub(super) static SEALED: Module =
    module!("sealed-secrets", "github.com/bitnami-labs/sealed-secrets");

pub(super) static HELM: Module = module!("helm", "helm.sh/helm/v4");
pub(super) static ACTIONLINT: Module = module!("actionlint", "github.com/rhysd/actionlint");
pub(super) static OPA: Module = module!("opa", "github.com/open-policy-agent/opa");

/// Without the clients of all clouds, which only its discovery needs: a fifth of the time.
pub(super) static PROMTOOL: Module = Module {
    tags: "remove_all_sd",
    ..module!("promtool", "github.com/prometheus/prometheus")
};

pub(super) static GOTEMPLATE: Module = Module {
    program: Some(include_str!("../../stack/gotemplate/main.go")),
    ..module!("gotemplate", "github.com/Masterminds/sprig/v3")
};

pub(super) static GOYAML: Module = Module {
    program: Some(include_str!("../../stack/goyaml/main.go")),
    ..module!("goyaml", "go.yaml.in/yaml/v3")
};

pub(super) static COMPOSE: Module = Module {
    program: Some(include_str!("../../stack/compose/main.go")),
    ..module!("compose", "github.com/compose-spec/compose-go/v2")
};

pub(super) static LUA: Module = Module {
    program: Some(include_str!("../../stack/lua/main.go")),
    ..module!("lua", "github.com/yuin/gopher-lua")
};

pub(super) static OTELCOL: Module = Module {
    program: Some(include_str!("../../stack/otelcol/main.go")),
    ..module!("otelcol", "go.opentelemetry.io/collector/otelcol")
};

impl Module {
    /// The path of `file`, after building `packages` when it is not there yet. `file` is what Go
    /// calls the binary.
    pub(super) fn binary(&self, file: &str, packages: &[&str]) -> Result<PathBuf, String> {
        let folder = self.folder();
        let path = folder.join(file);
        let names: Vec<&str> = packages.iter().map(binary_of).collect();
        let what = format!("{} {} ({})", self.name, self.version(), names.join(", "));
        once(&path, self.name, &format!("building {what}"), || {
            let partial = fresh(&folder);
            self.build(packages, &partial)?;
            for file in names {
                fs::rename(partial.join(file), folder.join(file))
                    .map_err(|e| format!("{file}: {e}"))?;
            }
            Ok(())
        })?;
        Ok(path)
    }

    fn build(&self, packages: &[&str], into: &Path) -> Result<(), String> {
        let mut go = Command::new("go");
        go.args([
            "build",
            "-mod=readonly",
            "-buildvcs=false",
            "-tags",
            self.tags,
            "-ldflags",
            &self.link_flags(),
            "-o",
        ])
        .arg(format!("{}/", into.display()))
        .args(packages)
        .current_dir(sources().join(self.name))
        .env("GOWORK", "off");
        succeed(&mut go, MISSING)
    }

    /// Kubernetes takes its version from the linker; without it clients meet one that they cannot
    /// parse.
    fn link_flags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.upstream != KUBERNETES.upstream {
            return flags;
        }
        let version = self.version();
        let numbers: Vec<&str> = version.trim_start_matches('v').split('.').collect();
        for (name, value) in [
            ("gitVersion", version),
            ("gitMajor", numbers[0]),
            ("gitMinor", numbers[1]),
            ("gitCommit", "modproxy"),
            ("gitTreeState", "clean"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            let flag = write!(flags, " -X k8s.io/component-base/version.{name}={value}");
            flag.expect("a String takes text");
        }
        flags
    }

    fn version(&self) -> &'static str {
        let lines = self
            .go_mod
            .lines()
            .map(|line| line.trim().trim_start_matches("require "));
        let mut words = lines
            .map(str::split_whitespace)
            .filter_map(|mut words| Some((words.next()?, words.next()?)));
        let (_, version) = words
            .find(|(module, version)| *module == self.upstream && version.starts_with('v'))
            .expect("go.mod requires the upstream module");
        version
    }

    fn folder(&self) -> PathBuf {
        let flags = self.link_flags();
        let mut parts = vec![self.go_mod, self.go_sum, flags.as_str()];
        parts.extend(Some(self.tags).filter(|tags| !tags.is_empty()));
        parts.extend(self.program);
        cache().join(format!("{}-{}-{}", self.name, self.version(), mark(&parts)))
    }
}

/// Go names a binary after its package, without the version that ends a module path.
fn binary_of<'a>(package: &&'a str) -> &'a str {
    let package = package.trim_end_matches("/v3");
    package.rsplit('/').next().unwrap_or(package)
}
