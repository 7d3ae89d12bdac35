//! A real Kubernetes control plane: etcd, API server, controller manager; no kubelet, so nothing runs in it.
//!
//! `shared` is one per test binary, and a test keeps to namespaces of its own; `start_own` is for tests that break it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::http::{Client, Connection};
use super::openbao::OpenBao;
use super::process::{Scratch, Server, first_that_starts, free_ports, poll, ready};
use super::tls::Authority;
use super::tools;

const LIMIT: Duration = Duration::from_secs(120);
const ADMIN: &str = "admin-token-of-this-test-cluster";

/// Everyone's requests but those of the control plane itself, so that a test reads its own.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ['system:serviceaccounts:kube-system', 'system:nodes']}
- {level: None, users: ['system:apiserver', 'controller-manager']}
- {level: None, nonResourceURLs: ['/readyz*', '/livez*', '/healthz*']}
- {level: Metadata}
";

/// A running control plane. Dropping an own one ends its processes and removes its folder.
pub(crate) struct Cluster {
    controllers: Option<Server>,
    api: Server,
    etcd: Server,
    scratch: Scratch,
    port: u16,
    ca: String,
    next: AtomicU32,
}

impl Cluster {
    /// The one of this test binary; started by the first who asks.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start_own)
    }

    /// One for a single test, which may stop and kill its parts.
    pub(crate) fn start_own() -> Self {
        // Asked for before the clock of readiness runs: the first time they are built.
        let binaries = [
            tools::etcd(),
            tools::kube_apiserver(),
            tools::kube_controller_manager(),
        ];
        let mut cluster = first_that_starts("kube-apiserver", || Self::attempt(binaries));
        let mut command = Command::new(binaries[2]);
        command
            .arg(format!(
                "--kubeconfig={}",
                cluster
                    .scratch
                    .path()
                    .join("controllers.kubeconfig")
                    .display()
            ))
            .arg(format!("--root-ca-file={}", cluster.ca_file().display()))
            .arg(format!(
                "--service-account-private-key-file={}",
                cluster.scratch.path().join("sa.key").display()
            ))
            .args([
                "--use-service-account-credentials=true",
                "--leader-elect=false",
            ])
            .args(["--bind-address=127.0.0.1", "--secure-port=0"])
            .current_dir(cluster.scratch.path());
        cluster.controllers = Some(Server::start(
            "kube-controller-manager",
            command,
            cluster.scratch.path(),
        ));
        cluster.await_account("default", "default");
        cluster
    }

    fn attempt([etcd, api, _]: [&Path; 3]) -> Result<Self, String> {
        let scratch = Scratch::new("cluster");
        let [client_port, peer_port, port] = free_ports();
        let etcd = start_etcd(etcd, &scratch, client_port, peer_port)?;
        let authority = Authority::new();
        let ca = authority.pem().to_owned();
        write_credentials(&scratch, &authority, port);
        let server = Server::start(
            "kube-apiserver",
            api_command(api, &scratch, client_port, port),
            scratch.path(),
        );
        let cluster = Self {
            controllers: None,
            api: server,
            etcd,
            scratch,
            port,
            ca,
            next: AtomicU32::new(0),
        };
        cluster.ready()?;
        Ok(cluster)
    }

    /// Only our server has a certificate of our authority: a stranger on this port is never taken for it.
    fn ready(&self) -> Result<(), String> {
        let client = self.client(ADMIN);
        ready(&self.api, LIMIT, || {
            client
                .call("GET", "/readyz", "", b"")
                .is_ok_and(|answer| answer.status == 200)
        })
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The authority of the API server's certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.scratch.path().join("kubeconfig")
    }

    /// The administrator's token.
    pub(crate) fn admin_token(&self) -> &'static str {
        ADMIN
    }

    /// The API server's own log.
    pub(crate) fn log(&self) -> String {
        self.api.log()
    }

    /// Every audited request so far at level Metadata, oldest first; the control plane's own are left out.
    pub(crate) fn audit_lines(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.scratch.path().join("audit.log")).unwrap_or_default();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("an audit line is JSON"))
            .collect()
    }

    /// The audited requests of one namespace as `verb resource/name code`, oldest first.
    pub(crate) fn audited(&self, namespace: &str) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = self
            .audit_lines()
            .into_iter()
            .filter(|e| e["objectRef"]["namespace"] == namespace);
        own.map(|event| {
            let (object, code) = (&event["objectRef"], &event["responseStatus"]["code"]);
            format!(
                "{} {}/{} {code}",
                word(&event["verb"]),
                word(&object["resource"]),
                word(&object["name"])
            )
        })
        .collect()
    }
}

/// Questions and changes.
impl Cluster {
    /// Asks as the administrator and gives status and JSON, whatever they are. A PATCH is a server-side apply.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.request_as(ADMIN, method, path, body)
    }

    /// The same with another bearer token.
    pub(crate) fn request_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let kind = if method == "PATCH" {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.client(token).call(method, path, kind, body.as_bytes());
        let answer = answer
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.api.log_tail()));
        (answer.status, answer.json())
    }

    /// An open connection of the administrator, for many requests.
    pub(crate) fn connect(&self) -> Connection {
        self.client(ADMIN)
            .connect()
            .expect("the API server accepts connections")
    }

    /// Reads as the administrator; `None` when it is not there.
    pub(crate) fn find(&self, path: &str) -> Option<Value> {
        let (status, object) = self.request("GET", path, None);
        assert!(
            status == 200 || status == 404,
            "GET {path}: {status} {object}"
        );
        (status == 200).then_some(object)
    }

    /// A Secret as it is stored, or `None`.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        self.find(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"))
    }

    /// A field of a Secret, decoded.
    pub(crate) fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Option<Vec<u8>> {
        let secret = self.secret(namespace, name)?;
        secret["data"][key]
            .as_str()
            .map(|value| STANDARD.decode(value).expect("Secret data is base64"))
    }

    /// Creates, or panics.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        let (status, answer) = self.request("POST", path, Some(object));
        assert!(status < 300, "POST {path}: {status} {answer}");
        answer
    }

    /// A fresh namespace, with its default service account.
    pub(crate) fn namespace(&self) -> String {
        self.namespace_with(&json!({}))
    }

    /// A fresh namespace with labels, such as `{"pod-security.kubernetes.io/enforce": "restricted"}`.
    pub(crate) fn namespace_with(&self, labels: &Value) -> String {
        let name = format!("test-{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.named_namespace(&name, labels);
        name
    }

    /// A namespace whose name matters (`platform`); only for a cluster of one's own.
    pub(crate) fn named_namespace(&self, name: &str, labels: &Value) {
        self.create(
            "/api/v1/namespaces",
            &json!({"metadata": {"name": name, "labels": labels}}),
        );
        self.await_account(name, "default");
    }

    /// Makes the service account if it is not there.
    pub(crate) fn service_account(&self, namespace: &str, name: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let (status, answer) =
            self.request("POST", &path, Some(&json!({"metadata": {"name": name}})));
        assert!(
            status < 300 || status == 409,
            "service account {name}: {status} {answer}"
        );
    }

    /// A token of a service account from the TokenRequest API, good for an hour; `""` is the API server's own audience.
    pub(crate) fn token(&self, namespace: &str, account: &str, audience: &str) -> String {
        self.token_for(namespace, account, audience, 3600)
    }

    /// The same for a number of seconds (the server's least is 600).
    pub(crate) fn token_for(
        &self,
        namespace: &str,
        account: &str,
        audience: &str,
        seconds: u32,
    ) -> String {
        self.service_account(namespace, account);
        let audiences: Vec<&str> = if audience.is_empty() {
            Vec::new()
        } else {
            vec![audience]
        };
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.create(
            &path,
            &json!({"spec": {"audiences": audiences, "expirationSeconds": seconds}}),
        );
        answer["status"]["token"]
            .as_str()
            .expect("TokenRequest gives a token")
            .to_owned()
    }

    /// A kubeconfig that is this service account, with `namespace` as its default one.
    pub(crate) fn service_account_kubeconfig(&self, namespace: &str, account: &str) -> PathBuf {
        let token = self.token(namespace, account, "");
        self.scratch.write(
            &format!("{namespace}-{account}.kubeconfig"),
            kubeconfig(self.port, &self.ca, &token, namespace),
        )
    }

    /// A Role of `rules` bound to the service account, both named after it.
    pub(crate) fn grant(&self, namespace: &str, account: &str, rules: &Value) {
        self.service_account(namespace, account);
        let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
        self.create(
            &format!("{rbac}/roles"),
            &json!({"metadata": {"name": account}, "rules": rules}),
        );
        let binding = json!({
            "metadata": {"name": account},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        });
        self.create(&format!("{rbac}/rolebindings"), &binding);
    }

    /// Applies every document of a manifest as the administrator; panics on a refusal.
    pub(crate) fn apply_yaml(&self, namespace: &str, manifest: &str) {
        for (status, answer) in self.try_apply(namespace, manifest) {
            assert!(status < 300, "apply: {status} {answer}");
        }
    }

    /// The same for a file.
    pub(crate) fn apply_file(&self, namespace: &str, path: impl AsRef<Path>) {
        let path = path.as_ref();
        let manifest =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.apply_yaml(namespace, &manifest);
    }

    /// Applies every document (a server-side apply, forced) and gives each answer. `namespace` is for those that name none.
    pub(crate) fn try_apply(&self, namespace: &str, manifest: &str) -> Vec<(u16, Value)> {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(manifest).expect("the manifest is YAML");
        let objects = documents.iter().filter(|document| !document.is_null());
        objects
            .map(|object| self.request("PATCH", &self.path_of(object, namespace), Some(object)))
            .collect()
    }

    /// The server says under which path a kind lives.
    fn path_of(&self, object: &Value, namespace: &str) -> String {
        let word = |value: &Value, what: &str| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("no {what}: {object}"))
                .to_owned()
        };
        let version = word(&object["apiVersion"], "apiVersion");
        let root = if version.contains('/') {
            format!("/apis/{version}")
        } else {
            format!("/api/{version}")
        };
        let resources = self
            .find(&root)
            .unwrap_or_else(|| panic!("the server knows no {version}"));
        let resource = resources["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|resource| {
                resource["kind"] == object["kind"]
                    && !resource["name"]
                        .as_str()
                        .is_some_and(|name| name.contains('/'))
            });
        let resource = resource
            .unwrap_or_else(|| panic!("the server knows no {} in {version}", object["kind"]));
        let own = object["metadata"]["namespace"]
            .as_str()
            .unwrap_or(namespace);
        let scope = if resource["namespaced"] == true {
            format!("/namespaces/{own}")
        } else {
            String::new()
        };
        let name = word(&object["metadata"]["name"], "metadata.name");
        format!(
            "{root}{scope}/{}/{name}?fieldManager=test&force=true",
            word(&resource["name"], "name")
        )
    }

    fn await_account(&self, namespace: &str, account: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
        let found = poll(LIMIT, || self.find(&path));
        found.unwrap_or_else(|| {
            let log = self
                .controllers
                .as_ref()
                .map(Server::log_tail)
                .unwrap_or_default();
            panic!("no service account {account} in {namespace}:\n{log}")
        });
    }

    fn client(&self, token: &str) -> Client {
        let client = Client::tls(self.port, &self.ca);
        if token.is_empty() {
            client
        } else {
            client.with("Authorization", &format!("Bearer {token}"))
        }
    }

    /// An OpenBao that trusts this cluster's tokens: `auth/kubernetes`, role `platform` for any service account with
    /// audience `vault`, policy `platform` that reads all of `kv/`.
    pub(crate) fn vault_with_kubernetes_auth(&self) -> OpenBao {
        let bao = OpenBao::start();
        self.trust(&bao);
        bao
    }

    /// Wires `auth/kubernetes` of any OpenBao to this cluster as above.
    pub(crate) fn trust(&self, bao: &OpenBao) {
        let namespace = self.namespace();
        let reviewer = self.token_for(&namespace, "reviewer", "", 7200);
        let binding = json!({
            "metadata": {"name": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
            "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}],
        });
        self.create(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            &binding,
        );
        bao.policy(
            "platform",
            r#"path "kv/*" { capabilities = ["read", "list"] }"#,
        );
        bao.post("sys/auth/kubernetes", &json!({"type": "kubernetes"}));
        let config = json!({
            "kubernetes_host": self.url(),
            "kubernetes_ca_cert": self.ca,
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": true,
        });
        bao.post("auth/kubernetes/config", &config);
        let role = json!({
            "bound_service_account_names": ["*"],
            "bound_service_account_namespaces": ["*"],
            "audience": "vault",
            "token_policies": ["platform"],
            "token_ttl": "10m",
        });
        bao.post("auth/kubernetes/role/platform", &role);
    }
}

/// Faults; only for a cluster of one's own.
impl Cluster {
    /// SIGSTOP to the API server: it accepts connections and says nothing.
    pub(crate) fn stop_api(&self) {
        self.api.stop();
    }

    /// SIGCONT to the API server.
    pub(crate) fn cont_api(&self) {
        self.api.cont();
    }

    /// SIGKILL to the API server: connections are refused.
    pub(crate) fn kill_api(&self) {
        self.api.kill();
    }

    /// The API server again, on the same port with the same data; returns when it is ready.
    pub(crate) fn restart_api(&self) {
        self.api.restart();
        self.ready().unwrap_or_else(|why| panic!("restart: {why}"));
    }

    /// SIGSTOP to etcd: the API server answers, late and with errors.
    pub(crate) fn stop_etcd(&self) {
        self.etcd.stop();
    }

    /// SIGCONT to etcd.
    pub(crate) fn cont_etcd(&self) {
        self.etcd.cont();
    }
}

fn start_etcd(binary: &Path, scratch: &Scratch, client: u16, peer: u16) -> Result<Server, String> {
    let (client, peer) = (
        format!("http://127.0.0.1:{client}"),
        format!("http://127.0.0.1:{peer}"),
    );
    let mut command = Command::new(binary);
    command
        .arg(format!(
            "--data-dir={}",
            scratch.path().join("etcd").display()
        ))
        .args(["--unsafe-no-fsync", "--name=one", "--log-level=info"])
        .args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
        ])
        .args([
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
        ])
        .arg(format!("--initial-cluster=one={peer}"));
    let server = Server::start("etcd", command, scratch.path());
    // Its own log, not its port: only that shows that the port is really ours.
    ready(&server, LIMIT, || {
        server.log().contains("serving client traffic")
    })?;
    Ok(server)
}

fn write_credentials(scratch: &Scratch, authority: &Authority, port: u16) {
    scratch.write("ca.crt", authority.pem());
    let names = [
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
        "10.96.0.1",
    ];
    let identity = authority.issue(&names);
    scratch.write("api.crt", identity.certificate);
    scratch.write("api.key", identity.key);
    let accounts = KeyPair::generate().expect("a key can be made");
    scratch.write("sa.key", accounts.serialize_pem());
    scratch.write("sa.pub", accounts.public_key_pem());
    let controllers = "controllers-token-of-this-test-cluster";
    scratch.write("tokens.csv", format!("{ADMIN},admin,1,\"system:masters\"\n{controllers},controller-manager,2,\"system:masters\"\n"));
    scratch.write("audit.yaml", AUDIT_POLICY);
    scratch.write(
        "kubeconfig",
        kubeconfig(port, authority.pem(), ADMIN, "default"),
    );
    scratch.write(
        "controllers.kubeconfig",
        kubeconfig(port, authority.pem(), controllers, "default"),
    );
}

fn api_command(binary: &Path, scratch: &Scratch, etcd: u16, port: u16) -> Command {
    let file = |name: &str| scratch.path().join(name).display().to_string();
    let mut command = Command::new(binary);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .args([
            "--bind-address=127.0.0.1",
            &format!("--secure-port={port}"),
            &format!("--cert-dir={}", file("certs")),
        ])
        // Else it looks for the machine's default route, which a sandbox need not have. The address is one of documentation.
        .arg("--advertise-address=192.0.2.1")
        .args([
            format!("--tls-cert-file={}", file("api.crt")),
            format!("--tls-private-key-file={}", file("api.key")),
        ])
        .args([
            format!("--service-account-key-file={}", file("sa.pub")),
            format!("--service-account-signing-key-file={}", file("sa.key")),
        ])
        .args([
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/24",
        ])
        .args([
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC,Node".to_owned(),
        ])
        .args([
            format!("--audit-policy-file={}", file("audit.yaml")),
            format!("--audit-log-path={}", file("audit.log")),
        ])
        .current_dir(scratch.path());
    command
}

fn kubeconfig(port: u16, ca: &str, token: &str, namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority-data: {}}}}}]\n\
         users: [{{name: test, user: {{token: {token}}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test, namespace: {namespace}}}}}]\n",
        STANDARD.encode(ca)
    )
}
