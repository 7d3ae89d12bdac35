//! Rows 15 and 16: logins that fail for a while, because of Vault's own troubles or of a file that
//! is not right yet.

use std::time::Duration;

use serde_json::json;

use super::{Identity, OTHER, RENEW, VALUE, audited, config, delivered, put};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

const LOGIN: &str = "update auth/kubernetes/login";

/// A server with Kubernetes auth, and a sidecar's configuration whose JWT is the file `jwt` beside
/// it.
fn with_jwt() -> (OpenBao, String) {
    let bao = Cluster::shared().vault_with_kubernetes_auth();
    put(&bao, VALUE);
    let vault = format!(
        "vault: {{address: '{}', auth: {{kubernetes: {{role: platform, tokenFile: jwt}}}}}}\n",
        bao.addr()
    );
    let identity = Identity {
        vault,
        role_id: String::new(),
    };
    let config = config(&identity, "");
    (bao, config)
}

fn jwt() -> String {
    Cluster::shared().token(&Cluster::shared().namespace(), "default", "vault")
}

#[test]
fn row_15_a_login_that_nobody_can_review_is_made_again_when_the_reviewer_is_back() {
    let (bao, config) = with_jwt();
    let folder = tempfile::tempdir().unwrap();
    let jwt = jwt();
    secret_file(folder.path(), "jwt", &jwt);
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    // The API server that reviews our JWT is away, and our token is lost.
    let cluster = Cluster::shared();
    cluster.review_at(&bao, "https://127.0.0.1:1");
    bao.post("sys/leases/revoke-prefix/auth/kubernetes/login", &json!({}));
    eventually("it tries", SOON, || audited(&bao, LOGIN) >= 4);
    assert!(
        sidecar.reasons().contains("denied: "),
        "{}",
        sidecar.reasons()
    );
    assert!(sidecar.is_ready() && delivered(folder.path()).contains(VALUE));
    cluster.review_at(&bao, &cluster.url());
    put(&bao, OTHER);
    let tries = audited(&bao, LOGIN);
    // The wait after the fourth try is of 4 s to 12 s, and nobody says that the reviewer is back.
    eventually("it works on", Duration::from_secs(25), || {
        delivered(folder.path()).contains(OTHER)
    });
    assert!(audited(&bao, LOGIN) <= tries + 2);
    sidecar
        .end()
        .expect(0)
        .assert_no_canary(&[VALUE, OTHER, &jwt]);
}

#[test]
fn row_16_a_jwt_file_that_is_not_right_yet_is_read_again() {
    let (bao, config) = with_jwt();
    let folder = tempfile::tempdir().unwrap();
    let jwt = jwt();
    let sidecar = RunningSidecar::start(folder.path(), &config);
    for (text, words) in [
        (None, "does not exist"),
        (Some(""), "it is empty"),
        (Some(" \n"), "it is empty"),
        (Some("x"), "three parts"),
    ] {
        if let Some(text) = text {
            secret_file(folder.path(), "jwt", text);
        }
        eventually(words, SOON, || sidecar.reasons().contains(words));
        assert!(!sidecar.is_ready());
    }
    assert_eq!(audited(&bao, LOGIN), 0, "nothing was sent");
    secret_file(folder.path(), "jwt", &format!("{jwt}\n"));
    eventually("it is taken", SOON, || sidecar.is_ready());
    // Where the next try was due anyway, the look at the file finds afterwards that it changed, and
    // takes it once more.
    let logins = audited(&bao, LOGIN);
    assert!((1..=2).contains(&logins), "{logins}");
    sidecar.end().expect(0).assert_no_canary(&[VALUE, &jwt]);
}

#[test]
fn row_16_a_jwt_file_that_is_emptied_does_not_cost_the_token_that_is_there() {
    let (bao, config) = with_jwt();
    let short = json!({
        "bound_service_account_names": ["*"], "bound_service_account_namespaces": ["*"],
        "audience": "vault", "token_policies": ["platform"], "token_ttl": "4s", "token_max_ttl": "1h",
    });
    bao.post("auth/kubernetes/role/platform", &short);
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), "jwt", &jwt());
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    secret_file(folder.path(), "jwt", "");
    eventually("renewed", SOON, || audited(&bao, RENEW) >= 3);
    put(&bao, OTHER);
    eventually("it works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert_eq!(audited(&bao, LOGIN), 1);
    assert!(
        sidecar.reasons().starts_with("app: ok"),
        "{}",
        sidecar.reasons()
    );
    // A better file is taken as soon as it is there.
    secret_file(folder.path(), "jwt", &jwt());
    eventually("a new token", SOON, || audited(&bao, LOGIN) == 2);
}
