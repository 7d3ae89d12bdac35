//! Axion on a plain server: AppRole, real Vault, no cluster.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::archpad::PASSWORD;
use crate::support::compose::{loaded, published};
use crate::support::openbao::OpenBao;
use crate::support::readme::{answered, mistakes};
use crate::support::run::{keyferry, variable};

use super::{example, says};

#[test]
fn axion_without_any_cluster_goes_forward_and_back() {
    let bao = OpenBao::start();
    bao.policy(
        "axion",
        "path \"kv/data/axion/deployment-service\" { capabilities = [\"read\"] }",
    );
    bao.post("sys/auth/approle", &json!({"type": "approle"}));
    bao.post(
        "auth/approle/role/axion",
        &json!({"token_policies": "axion", "token_ttl": "5m"}),
    );
    let dir = tempfile::tempdir().expect("a temporary folder");
    let role = bao.get("auth/approle/role/axion/role-id");
    let secret = bao.post("auth/approle/role/axion/secret-id", &json!({}));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    fs::write(dir.path().join("role-id"), text(&role["data"]["role_id"])).expect("written");
    fs::write(
        dir.path().join("secret-id"),
        text(&secret["data"]["secret_id"]),
    )
    .expect("written");
    bao.put(
        "axion/deployment-service",
        &json!({"db_user": "axion", "db_password": PASSWORD, "redis_password": "r:1/@"}),
    );
    bao.put(
        "axion/deployment-service",
        &json!({"db_user": "axion", "db_password": "second", "redis_password": "r:2/@"}),
    );

    let compose = dir.path().join("docker-compose.yml");
    fs::copy(example("axion/docker-compose.yml"), &compose).expect("copied");
    let run = |args: &[&str]| {
        keyferry()
            .env("VAULT_ADDR", bao.addr())
            .env("AXION_CREDENTIALS", dir.path())
            .env("AXION_HOME", dir.path())
            .env("KEYFERRY_CONFIG", example("axion/keyferry.yaml"))
            .args(args)
            .run()
    };
    says(
        &run(&["job"]).expect(0),
        "in sync: 3 created, 0 updated, 0 unchanged",
    );
    let env = dir.path().join(".env");
    let expected = |database: &str, redis: &str| {
        json!({
            "DATABASE_URL": format!("postgresql://axion:{database}@localhost:5436/axion_deployment"),
            "REDIS_URL": format!("redis://:{redis}@localhost:6379"),
            "KAFKA_BROKERS": "localhost:9092", "KAFKAJS_NO_PARTITIONER_WARNING": "1", "PORT": "3005", "NODE_ENV": "development",
        })
    };
    let check = |expected: Value| {
        let map: Value =
            serde_json::from_slice(&fs::read(dir.path().join("env_vars.json")).expect("written"))
                .expect("JSON");
        assert_eq!(map, expected);
        for (name, value) in expected.as_object().expect("a map") {
            assert_eq!(
                &variable(&env, name),
                value.as_str().expect("text"),
                "{name}"
            );
        }
        assert_eq!(
            fs::read_to_string(&env).expect("there").lines().count(),
            6,
            "six variables and no more"
        );
    };
    check(expected("second", "r%3A2%2F%40"));
    assert!(run(&["job"]).expect(0).stderr.contains("nothing changed"));
    let plan = run(&["job", "--to", "1", "--dry-run"]).expect(10);
    assert!(
        plan.stdout.contains("update   file") && !plan.stdout.contains(PASSWORD),
        "{}",
        plan.stdout
    );
    let back = run(&["job", "--to", "1"]).expect(0);
    says(
        &back,
        "in sync: 0 created, 3 updated, 0 unchanged; `deployment-service` is held at version 1 since ",
    );
    // The timer comes again, and the deployment stays.
    run(&["job"]).expect(0);
    check(expected("p%40ss%2Fw%3Ard%231%20%25", "r%3A1%2F%40"));
    let password = fs::read_to_string(dir.path().join("secrets/db_password"));
    assert_eq!(password.expect("written"), PASSWORD);

    let project = loaded(&env, &[&compose]);
    for (service, port) in [("postgres", "5436"), ("redis", "6379"), ("kafka", "9092")] {
        assert_eq!(published(&project, service), [port], "{service}");
    }
    let service = &project["services"]["deployment-service"];
    assert_eq!(
        service["environment"],
        expected("p%40ss%2Fw%3Ard%231%20%25", "r%3A1%2F%40")
    );
    let secrets = project["secrets"].as_object().expect("files");
    assert_eq!(secrets.len(), 3);
    for secret in secrets.values() {
        let file = Path::new(secret["file"].as_str().expect("a path"));
        assert!(file.exists(), "{}", file.display());
    }

    let [ended, clear, version] = mistakes("axion");
    let ended = ended.replace("/etc/keyferry", &dir.path().display().to_string());
    let changed = |from: &str, to: &str| {
        let text = fs::read_to_string(example("axion/keyferry.yaml")).expect("there");
        assert!(text.contains(from), "{from}");
        fs::write(dir.path().join("keyferry.yaml"), text.replace(from, to)).expect("written");
        keyferry()
            .dir(dir.path())
            .env("VAULT_ADDR", bao.addr())
            .env("AXION_CREDENTIALS", dir.path())
            .args(["job"])
            .run()
    };
    let unencrypted = "http://vault.example.com:8200";
    answered(
        &clear,
        &changed("${VAULT_ADDR:-https://vault.example.com:8200}", unencrypted),
    );
    answered(
        &version,
        &changed(
            "{vault: kv/axion/deployment-service}",
            "{vault: kv/axion/deployment-service, version: 9}",
        ),
    );
    fs::write(dir.path().join("secret-id"), "ended").expect("written");
    answered(&ended, &changed("deliveries:", "deliveries:"));
}
