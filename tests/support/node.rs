//! The node that `tests/pods/node/with` started, and an OpenBao that its pods know as
//! `https://vault.vault.svc:8200`.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::openbao::{OpenBao, Settings, Tls};
use crate::support::process::poll;
use crate::support::run::{Output, Run};
use crate::support::tls::Authority;

/// The node's address, where pods find what listens on this machine.
const ADDRESS: &str = "10.97.255.1";

/// Long enough for a pod to be made, and for the kubelet to look again.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// The node and its OpenBao.
pub(crate) struct Node {
    pub(crate) bao: OpenBao,
}

impl Node {
    /// The one of this run.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Node> = OnceLock::new();
        SHARED.get_or_init(Self::connect)
    }

    fn connect() -> Self {
        let authority = Authority::new();
        let bao = OpenBao::start_with(&Settings {
            durable: false,
            tls: Some(Tls {
                identity: authority.issue(&["vault.vault.svc", "127.0.0.1"]),
                ca: authority.pem().to_owned(),
                lines: String::new(),
            }),
        });
        let node = Self { bao };
        let port = forward(node.bao.tls_port());
        node.apply(&format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: vault}}
---
apiVersion: v1
kind: Service
metadata: {{name: vault, namespace: vault}}
spec: {{ports: [{{port: 8200, targetPort: {port}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: vault, namespace: vault, labels: {{kubernetes.io/service-name: vault}}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [{ADDRESS}]}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: vault, namespace: vault}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: vault}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:auth-delegator}}
subjects: [{{kind: ServiceAccount, name: vault, namespace: vault}}]
"
        ));
        node.trust();
        node
    }

    /// OpenBao asks this node about tokens.
    fn trust(&self) {
        let config = self.get(&["config", "view", "--raw", "--flatten", "-o", "json"]);
        let of = &config["clusters"][0]["cluster"];
        let ca = of["certificate-authority-data"].as_str().expect("one");
        let ca = decoded(ca).expect("PEM");
        let reviewer = self.kubectl(&["-n", "vault", "create", "token", "vault", "--duration=2h"]);
        self.bao
            .post("sys/auth/kubernetes", &json!({"type": "kubernetes"}));
        let host = of["server"].as_str().expect("an address");
        self.bao.review_tokens(host, &ca, reviewer.stdout.trim());
    }

    /// A file of the node: `tenant-service.tar`, an image that it does not know;
    /// `run/registries`, where containerd looks for a registry.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let run = kubeconfig();
        let run = run.parent().and_then(Path::parent);
        run.expect("it is in a folder `run`").join(name)
    }

    /// kubectl as the node's administrator.
    pub(crate) fn try_kubectl(&self, args: &[&str], stdin: &str) -> Output {
        Run::of("kubectl")
            .env("KUBECONFIG", kubeconfig())
            .env("HOME", "/nonexistent")
            .args(args)
            .stdin(stdin.as_bytes())
            .run()
    }

    /// The same where it has to succeed.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.try_kubectl(args, "").expect(0)
    }

    /// A namespace with Pod Security `restricted` that knows Vault's authority.
    pub(crate) fn namespace(&self, name: &str) {
        let authority = std::fs::read_to_string(self.bao.ca_file());
        let authority = authority.expect("a file");
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": name,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            }},
            {
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": authority},
                "metadata": {"name": "vault-ca", "namespace": name},
            },
        ]});
        self.apply(&objects.to_string());
    }

    /// An object, if it is there.
    pub(crate) fn find(&self, namespace: &str, kind: &str, name: &str) -> Option<Value> {
        let args = ["-n", namespace, "get", kind, name, "-o", "json"];
        let output = self.try_kubectl(&args, "");
        (output.code == 0).then(|| serde_json::from_str(&output.stdout).expect("JSON"))
    }

    /// The value of a key of a Secret.
    pub(crate) fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let object = self.find(namespace, "secret", name)?;
        decoded(object["data"][key].as_str()?)
    }

    /// One JSON answer.
    pub(crate) fn get(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(args).stdout).expect("JSON")
    }

    /// Applies manifests.
    pub(crate) fn apply(&self, manifests: &str) {
        self.try_kubectl(&["apply", "-f", "-"], manifests).expect(0);
    }

    /// Waits for an answer of kubectl; a panic shows what the namespace looks like instead.
    pub(crate) fn await_in<T>(
        &self,
        namespace: &str,
        what: &str,
        ask: impl FnMut() -> Option<T>,
    ) -> T {
        poll(SOON, ask).unwrap_or_else(|| {
            let all = ["-n", namespace, "describe", "pods,jobs"];
            let described = self.try_kubectl(&all, "").stdout;
            panic!("{what}: not within {SOON:?}\n{described}")
        })
    }
}

/// Who the node's administrator is.
fn kubeconfig() -> PathBuf {
    let path = std::env::var_os("KEYFERRY_NODE_KUBECONFIG");
    path.expect("no node: tests/pods/run and tests/argocd/run start these tests and a node")
        .into()
}

/// Text in Base64.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Hands connections from the node's address on to a port of this machine; gives its own port.
fn forward(to: u16) -> u16 {
    let listener = TcpListener::bind((ADDRESS, 0)).expect("a free port of the node");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for from in listener.incoming().flatten() {
            if let Ok(to) = TcpStream::connect(("127.0.0.1", to)) {
                both_ways(&from, &to);
            }
        }
    });
    port
}

fn both_ways(one: &TcpStream, other: &TcpStream) {
    for (from, to) in [(one, other), (other, one)] {
        let [mut from, mut to] = [from, to].map(|end| end.try_clone().expect("it is open"));
        std::thread::spawn(move || {
            // A connection that breaks is the business of who talks over it.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
