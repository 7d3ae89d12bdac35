//! Namespaces, service accounts with their tokens and rights, and an OpenBao that trusts them.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::launch::kubeconfig;
use super::{Cluster, LIMIT};
use crate::support::openbao::OpenBao;
use crate::support::process::{Server, poll};

impl Cluster {
    /// A fresh namespace, with its default service account.
    pub(crate) fn namespace(&self) -> String {
        self.namespace_with(&json!({}))
    }

    /// A fresh namespace with labels, such as `{"pod-security.kubernetes.io/enforce":
    /// "restricted"}`.
    pub(crate) fn namespace_with(&self, labels: &Value) -> String {
        let name = format!("test-{}", self.count());
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

    /// A token of a service account from the TokenRequest API, good for an hour; `""` is the API
    /// server's own audience.
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

    pub(super) fn await_account(&self, namespace: &str, account: &str) {
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

    /// An OpenBao that trusts this cluster's tokens: `auth/kubernetes`, role `platform` for any
    /// service account with audience `vault`, policy `platform` that reads all of `kv/`.
    pub(crate) fn vault_with_kubernetes_auth(&self) -> OpenBao {
        let bao = OpenBao::start();
        self.trust(&bao);
        bao
    }

    /// Wires `auth/kubernetes` of any OpenBao to this cluster as above.
    pub(crate) fn trust(&self, bao: &OpenBao) {
        bao.policy(
            "platform",
            r#"path "kv/*" { capabilities = ["read", "list"] }"#,
        );
        bao.post("sys/auth/kubernetes", &json!({"type": "kubernetes"}));
        self.review_at(bao, &self.url());
        let role = json!({
            "bound_service_account_names": ["*"],
            "bound_service_account_namespaces": ["*"],
            "audience": "vault",
            "token_policies": ["platform"],
            "token_ttl": "10m",
        });
        bao.post("auth/kubernetes/role/platform", &role);
    }

    /// Lets that OpenBao ask this address about tokens, as somebody who may ask this cluster.
    pub(crate) fn review_at(&self, bao: &OpenBao, host: &str) {
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
        bao.review_tokens(host, &self.ca, &reviewer);
    }

    /// A number that this cluster has not given before.
    pub(super) fn count(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}
