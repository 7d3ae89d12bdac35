//! The node that `tests/pods/run` made, and an OpenBao that its pods know as
//! `https://vault.vault.svc:8200`.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
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
        assert!(
            std::env::var_os("KEYFERRY_NODE_KUBECONFIG").is_some(),
            "no node: start these tests with tests/pods/run, which makes one"
        );
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
        let ca = of["certificate-authority-data"].as_str().unwrap();
        let ca = String::from_utf8(STANDARD.decode(ca).unwrap()).unwrap();
        let reviewer = self.kubectl(&["-n", "vault", "create", "token", "vault", "--duration=2h"]);
        self.bao
            .post("sys/auth/kubernetes", &json!({"type": "kubernetes"}));
        let host = of["server"].as_str().unwrap();
        self.bao.review_tokens(host, &ca, reviewer.stdout.trim());
    }

    /// kubectl as the node's administrator.
    pub(crate) fn try_kubectl(&self, args: &[&str], stdin: &str) -> Output {
        let kubeconfig = std::env::var_os("KEYFERRY_NODE_KUBECONFIG").unwrap_or_default();
        Run::of("kubectl")
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", "/nonexistent")
            .args(args)
            .stdin(stdin.as_bytes())
            .run()
    }

    /// The same where it has to succeed.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.try_kubectl(args, "").expect(0)
    }

    /// One JSON answer.
    pub(crate) fn get(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(args).stdout).unwrap()
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

/// Hands connections from the node's address on to a port of this machine; gives its own port.
fn forward(to: u16) -> u16 {
    let listener = TcpListener::bind((ADDRESS, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
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
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            // A connection that breaks is the business of who talks over it.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
