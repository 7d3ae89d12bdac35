//! A sidecar beside a program that ends, on a real OpenBao.

use std::time::Duration;

use serde_json::json;

use crate::support::openbao::OpenBao;
use crate::support::process::{name, program};
use crate::support::session::secret_file;
use crate::support::sidecar::RunningSidecar;

#[test]
fn row_63_its_token_is_revoked_when_the_process_ends() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"PASSWORD": "c4nary-v4lue"}));
    bao.policy("app", r#"path "kv/*" { capabilities = ["read"] }"#);
    bao.post("sys/auth/approle", &json!({"type": "approle"}));
    let role = json!({"token_policies": ["app"]});
    bao.post("auth/approle/role/app", &role);
    let folder = tempfile::tempdir().unwrap();
    let id = bao.get("auth/approle/role/app/role-id");
    let secret = bao.post("auth/approle/role/app/secret-id", &json!({}));
    for (file, value) in [
        ("role-id", &id["data"]["role_id"]),
        ("secret-id", &secret["data"]["secret_id"]),
    ] {
        secret_file(folder.path(), file, value.as_str().unwrap());
    }
    let main = name("revoked");
    let config = format!(
        "vault: {{address: '{}', auth: {{appRole: {{roleIdFile: role-id, secretIdFile: \
         secret-id}}}}}}\nsidecar: {{endWith: {{process: {main}}}}}\ndeliveries:\n- \
         {{name: app, from: [{{vault: kv/data/app}}], to: [{{file: {{path: app.env}}}}]}}\n",
        bao.addr()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let tokens = || {
        let listed = bao.list("auth/token/accessors");
        listed["data"]["keys"].as_array().unwrap().len()
    };
    let with = tokens();
    let mut child = program(folder.path(), &main);
    std::thread::sleep(Duration::from_secs(1));
    child.kill().unwrap();
    child.wait().unwrap();
    sidecar.finish().expect(0);
    assert_eq!(tokens(), with - 1);
}
