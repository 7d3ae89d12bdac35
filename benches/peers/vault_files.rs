//! A pod's start: Kubernetes-auth login, three KV v2 reads, three files, exit. keyferry init beside
//! OpenBao's agent.
//!
//! Both ask the same server, which asks a real API server to review the token, and both write the
//! same variables.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::contest::Contest;
use crate::field::agent_template;
use crate::launcher::Contender;
use crate::support::cluster::Cluster;
use crate::support::http::{Answer, Client, Connection};
use crate::support::openbao::OpenBao;
use crate::support::process::Scratch;
use crate::support::tools;
use crate::table::Row;

const APPS: [&str; 3] = ["common", "database", "service"];
const JWT: &str = "token";

/// Sets the servers up, then lets both run.
pub(crate) fn row(keyferry: &Path, rounds: usize) -> Row {
    let cluster = Cluster::shared();
    let bao = cluster.vault_with_kubernetes_auth();
    for app in APPS {
        bao.put(app, &json!({"USER": format!("{app}-user"), "PASSWORD": format!("{app}-Qx7pWz"), "HOST": app}));
    }
    let scratch = Scratch::new("bench");
    let jwt = cluster.token(&cluster.namespace(), "default", "vault");
    scratch.write(JWT, &jwt);
    scratch.write("keyferry.yaml", configuration(&bao));
    scratch.write("agent.hcl", agent_configuration(&bao));
    let contest = Contest {
        work: "Kubernetes login, 3 KV v2 reads, 3 files",
        folder: scratch.path(),
        ours: Contender {
            name: "`keyferry init`".to_owned(),
            program: keyferry.display().to_string(),
            args: ["init", "--config", "keyferry.yaml"]
                .map(str::to_owned)
                .to_vec(),
        },
        peer: Contender {
            name: "`bao agent`, exit_after_auth".to_owned(),
            program: tools::bao().display().to_string(),
            args: ["agent", "-config=agent.hcl", "-log-level=error"]
                .map(str::to_owned)
                .to_vec(),
        },
        undo: &|| {
            for app in APPS {
                drop(fs::remove_file(scratch.path().join(format!("{app}.env"))));
            }
        },
        check: &|| {
            APPS.iter()
                .for_each(|app| check(&scratch.path().join(format!("{app}.env")), app))
        },
        floor: Some(("the four calls alone, no process", &|| calls(&bao, &jwt))),
        wall_target: 6.0,
        memory_target: 5.0,
    };
    contest.row(rounds)
}

fn configuration(bao: &OpenBao) -> String {
    let deliveries: String = APPS
        .iter()
        .map(|app| {
            format!(
                "  - {{name: {app}, from: [{{vault: kv/{app}}}], to: [{{file: \
            {{path: {app}.env}}}}]}}\n"
            )
        })
        .collect();
    format!(
        "vault: {{address: '{}', auth: {{kubernetes: {{role: platform, tokenFile: \
         {JWT}}}}}}}\ndeliveries:\n{deliveries}",
        bao.addr()
    )
}

fn agent_configuration(bao: &OpenBao) -> String {
    let templates: String = APPS
        .iter()
        .map(|app| agent_template(app, &["USER", "PASSWORD", "HOST"]))
        .collect();
    format!(
        "exit_after_auth = true\nvault {{ address = \"{}\" }}\nauto_auth {{\n  method \
         \"kubernetes\" {{\n    config = {{ role = \"platform\", token_path = \"{JWT}\" }}\n  \
         }}\n}}\n{templates}",
        bao.addr()
    )
}

/// Quotes are the writer's taste; variables and values are not.
fn check(file: &Path, app: &str) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let plain = text.replace(['\'', '"'], "");
    let lines: BTreeSet<&str> = plain
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let [user, password, host] = [
        format!("USER={app}-user"),
        format!("PASSWORD={app}-Qx7pWz"),
        format!("HOST={app}"),
    ];
    assert_eq!(
        lines,
        BTreeSet::from([user.as_str(), password.as_str(), host.as_str()]),
        "{}",
        file.display()
    );
}

/// One connection, four questions, nothing else.
fn calls(bao: &OpenBao, jwt: &str) {
    let client = Client::plain(bao.port());
    let mut connection = client.connect().expect("the server accepts connections");
    let body = json!({"role": "platform", "jwt": jwt}).to_string();
    let login = ask(&mut connection, "POST", "/v1/auth/kubernetes/login", &body);
    let answer = login.json();
    let token = answer["auth"]["client_token"].as_str().expect("a token");
    connection.header("X-Vault-Token", token);
    for app in APPS {
        ask(&mut connection, "GET", &format!("/v1/kv/data/{app}"), "");
    }
}

fn ask(connection: &mut Connection, method: &str, path: &str, body: &str) -> Answer {
    let answer = connection
        .send(method, path, "application/json", body.as_bytes())
        .expect("an answer");
    assert_eq!(answer.status, 200, "{method} {path}");
    answer
}
