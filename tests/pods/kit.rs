//! A kit of `deploy/` in a namespace of its own, with exactly the rights that are printed for it.

use std::path::Path;

use serde_json::Value;

use crate::support::archpad::fill;
use crate::support::kustomize::rendered;
use crate::support::node::Node;
use crate::support::process::Scratch;
use crate::support::run::keyferry;
use crate::support::session::secret_file;

/// A kit that was applied.
pub(crate) struct Kit {
    pub(crate) node: &'static Node,
    pub(crate) namespace: &'static str,
    manifests: String,
    config: String,
    account: String,
    scratch: Scratch,
}

impl Kit {
    /// Applies what kustomize makes of this folder, but for the namespace, the role of Vault and
    /// what `edit` changes.
    pub(crate) fn apply(
        folder: &str,
        namespace: &'static str,
        edit: impl Fn(String) -> String,
    ) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let (text, _) = rendered(&folder);
        Self::apply_text(&text, namespace, edit)
    }

    /// The same with manifests of another origin.
    pub(crate) fn apply_text(
        manifests: &str,
        namespace: &'static str,
        edit: impl Fn(String) -> String,
    ) -> Self {
        let node = Node::shared();
        let own = |text: String| {
            let text = text.replace("namespace: platform", &format!("namespace: {namespace}"));
            edit(text.replace("role: platform", &format!("role: {namespace}")))
        };
        let manifests = own(manifests.to_owned());
        let documents: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
        let of_kind = |kind: &str| {
            let found = documents.iter().find(|object| object["kind"] == kind);
            found.unwrap_or_else(|| panic!("no {kind}"))
        };
        let config = of_kind("ConfigMap")["data"]["keyferry.yaml"].as_str();
        let kit = Self {
            node,
            namespace,
            config: config.unwrap().to_owned(),
            account: of_kind("ServiceAccount")["metadata"]["name"]
                .as_str()
                .unwrap()
                .to_owned(),
            manifests,
            scratch: Scratch::new("kit"),
        };
        node.namespace(namespace);
        fill(&node.bao);
        kit.grant();
        kit.again();
        kit
    }

    /// Writes the policy and the role of Vault, as its administrator would.
    pub(crate) fn grant(&self) {
        if !self.config.contains("vault:") {
            return;
        }
        let bao = &self.node.bao;
        let here = self
            .config
            .replace("https://vault.vault.svc:8200", &bao.addr())
            .replace("/etc/vault/ca.crt", &bao.ca_file().display().to_string());
        self.scratch.write("keyferry.yaml", here);
        let authority = std::fs::read(bao.ca_file()).unwrap();
        self.scratch.write("ca.crt", authority);
        secret_file(self.scratch.path(), "root", &bao.root_token());
        let account = format!("{}/{}", self.namespace, self.account);
        keyferry()
            .dir(self.scratch.path())
            .env("VAULT_CACERT", bao.ca_file())
            .args(["grants", "vault", "--apply", "--token-file", "root"])
            .args(["--service-account", &account])
            .run()
            .expect(0);
    }

    /// Applies it once more.
    pub(crate) fn again(&self) {
        self.node.apply(&self.manifests);
    }

    /// kubectl in its namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let args = [&["-n", self.namespace], args].concat();
        self.node.kubectl(&args).stdout
    }

    /// The same where it may fail: nothing then.
    pub(crate) fn ask(&self, args: &[&str]) -> Option<String> {
        let args = [&["-n", self.namespace], args].concat();
        let output = self.node.try_kubectl(&args, "");
        Some(output.stdout).filter(|_| output.code == 0)
    }

    /// Waits for one of a kind to have a condition.
    pub(crate) fn await_condition(&self, object: &str, condition: &str) {
        let wait = format!("--for=condition={condition}");
        self.await_that(&format!("{object} is {condition}"), || {
            self.ask(&["wait", object, &wait, "--timeout=1s"])
        });
    }

    /// Waits for something in its namespace.
    pub(crate) fn await_that<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        self.node.await_in(self.namespace, what, ask)
    }

    /// The value of a key of a Secret.
    pub(crate) fn secret(&self, name: &str, key: &str) -> Option<String> {
        self.node.secret_value(self.namespace, name, key)
    }
}
