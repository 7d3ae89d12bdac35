//! Rows 14 to 16 and every way to log in, with Kubernetes as the judge of its tokens.

use std::time::Duration;

use keyferry::config::{VaultAuth, VaultServer};
use serde_json::json;

use super::{SOON, VALUE, audited, fails, logins, unique};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::session::{kubernetes, path, read_once, secret_file, server};

struct Pod {
    bao: OpenBao,
    namespace: String,
}

impl Pod {
    fn new() -> Self {
        let cluster = Cluster::shared();
        let bao = cluster.vault_with_kubernetes_auth();
        bao.put("app", &json!({"password": VALUE}));
        Self {
            bao,
            namespace: cluster.namespace(),
        }
    }

    /// A server that a ServiceAccount's token for an audience is shown to, and the token.
    fn server(&self, account: &str, audience: &str) -> (String, VaultServer) {
        let jwt = Cluster::shared().token(&self.namespace, account, audience);
        let file = secret_file(self.bao.folder(), &unique("jwt"), &format!("{jwt}\n"));
        (jwt, server(&self.bao.addr(), kubernetes(&file)))
    }
}

#[test]
fn kubernetes_logs_a_service_account_in_and_out() {
    let pod = Pod::new();
    let (jwt, server) = pod.server("app", "vault");
    read_once(&[&jwt, VALUE], &server, SOON, &path("kv/data/app")).expect("data");
    assert_eq!(logins(&pod.bao), 1);
    assert_eq!(audited(&pod.bao, "auth/token/revoke-self"), 1);
}

#[test]
fn row_14_a_service_account_that_is_not_bound_is_refused_after_three_tries() {
    let pod = Pod::new();
    let role = json!({
        "bound_service_account_names": ["other"], "bound_service_account_namespaces": ["*"],
        "audience": "vault", "token_policies": ["platform"],
    });
    pod.bao.post("auth/kubernetes/role/platform", &role);
    let (jwt, server) = pod.server("app", "vault");
    let result = read_once(&[&jwt, VALUE], &server, SOON, &path("kv/data/app"));
    let words = "cannot log in with role `platform` at mount `kubernetes`: login refused: service \
        account name not authorized";
    fails(result, "denied", &[words]);
    assert_eq!(logins(&pod.bao), 3);
}

#[test]
fn row_14_an_unknown_role_and_a_foreign_audience_are_refused() {
    let pod = Pod::new();
    let (jwt, server) = pod.server("app", "vault");
    let VaultAuth::Kubernetes {
        mount, token_file, ..
    } = server.auth
    else {
        panic!("kubernetes auth");
    };
    let auth = VaultAuth::Kubernetes {
        mount,
        role: "unknown".to_owned(),
        token_file,
    };
    let unknown = VaultServer { auth, ..server };
    let result = read_once(&[&jwt], &unknown, SOON, &path("kv/data/app"));
    fails(result, "denied", &["invalid role name \"unknown\""]);
    assert_eq!(logins(&pod.bao), 1);
    let (jwt, foreign) = pod.server("app", "");
    let result = read_once(
        &[&jwt],
        &foreign,
        Duration::from_secs(2),
        &path("kv/data/app"),
    );
    fails(result, "denied", &["login refused"]);
}

#[test]
fn row_15_a_login_waits_for_the_api_server_that_reviews_tokens() {
    let pod = Pod::new();
    Cluster::shared().review_at(&pod.bao, "https://127.0.0.1:1");
    let (jwt, server) = pod.server("app", "vault");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while logins(&pod.bao) < 4 {
                std::thread::sleep(Duration::from_millis(20));
            }
            Cluster::shared().review_at(&pod.bao, &Cluster::shared().url());
        });
        read_once(&[&jwt, VALUE], &server, SOON, &path("kv/data/app")).expect("it came back");
    });
    assert!(logins(&pod.bao) > 4);
}
