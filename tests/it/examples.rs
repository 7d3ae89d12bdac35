//! The examples that need no server, run as their README says, on a copy of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::compose::{loaded, published};
use crate::support::readme::{answered, blocks, mistakes};
use crate::support::run::{Output, Run, keyferry, variable};

/// A copy of an example, so that the checkout stays clean.
fn copy(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    copy_folder(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(name),
        dir.path(),
    );
    dir
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("an example") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "out" {
            continue;
        }
        if path.is_dir() {
            fs::create_dir(&target).expect("made");
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

fn run(dir: &Path, args: &[&str]) -> Output {
    keyferry().dir(dir).args(args).run()
}

#[test]
fn quickstart_writes_once_and_second_run_changes_nothing() {
    let dir = copy("quickstart");
    let first = run(dir.path(), &["job"]).expect(0);
    assert!(
        first.stderr.contains("in sync: 5 created"),
        "{}",
        first.stderr
    );
    let env = fs::read_to_string(dir.path().join("out/app.env")).expect("written");
    assert!(
        env.contains("DATABASE_URL=postgresql://app:p%40ss%2Fw%3Ard@db:5432/app\n"),
        "{env}"
    );
    let one = fs::read_to_string(dir.path().join("out/app/GREETING")).expect("written");
    assert_eq!(one, "it is easy, isn't it");
    let docker: serde_json::Value = serde_json::from_slice(
        &fs::read(dir.path().join("out/docker/config.json")).expect("written"),
    )
    .expect("JSON");
    assert_eq!(
        docker["auths"]["registry.example.com"]["auth"],
        "cm9ib3Q6cHVsbC0kbWUtIjEi"
    );
    let mailer: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("out/mailer.json")).expect("written"))
            .expect("JSON");
    let expected = serde_json::json!({
        "SMTP_USER": "robot", "SMTP_PASSWORD": "it's a \"long\" one, #1", "SENDER": "noreply@example.com"
    });
    assert_eq!(mailer, expected);
    let token = fs::read_to_string(dir.path().join("out/payments/API_TOKEN")).expect("written");
    assert_eq!(token, "pay-5ecret-t0ken");
    let second = run(dir.path(), &["job"]).expect(0);
    assert!(
        second.stderr.contains("nothing changed"),
        "{}",
        second.stderr
    );
    let exec = run(
        dir.path(),
        &[
            "exec",
            "--delivery",
            "app",
            "--",
            "sh",
            "-c",
            "echo \"$GREETING\"",
        ],
    )
    .expect(0);
    assert_eq!(exec.stdout, "it is easy, isn't it\n");
    run(dir.path(), &["check", "--targets"]).expect(0);
    for output in [first, second] {
        output.assert_no_canary(&[
            "p@ss/w:rd",
            "c29tZSByYW5kb20gYnl0ZXM=",
            "pull-$me",
            "it's a \"long\" one, #1",
            "pay-5ecret-t0ken",
        ]);
    }
}

#[test]
fn gprod_keeps_two_files_equal_in_three_contours() {
    let dir = copy("gprod");
    let infra: PathBuf = dir.path().join("infra");
    let files = [
        dir.path().join("gprod-backend/.env"),
        dir.path().join("gybernaty-infra/.env"),
    ];
    let before = fs::read_to_string(&files[0]).expect("there");

    let check = run(&infra, &["check", "--targets"]).expect(10);
    for line in [
        "gprod: file ../gprod-backend/.env: JWT_SECRET differs",
        "gprod: file ../gprod-backend/.env: POSTGRES_PASSWORD is missing",
        "gprod: file ../gybernaty-infra/.env: POSTGRES_PASSWORD differs",
        "gprod-ports: file ../gybernaty-infra/.env: REDIS_PORT is missing",
    ] {
        assert!(
            check.stdout.contains(line),
            "{line} is not in\n{}",
            check.stdout
        );
    }
    assert!(
        !check.stdout.contains(": PORT differs"),
        "what agrees is not named: {}",
        check.stdout
    );

    for (contour, api, db, adminer, redis, network) in [
        ("dev", "3000", "5432", "8080", "6379", "gp-network"),
        ("stage", "3100", "5433", "8081", "6380", "gp-network-stage"),
        ("prod", "3200", "5434", "8082", "6381", "gp-network-prod"),
    ] {
        let run = |args: &[&str]| {
            keyferry()
                .dir(&infra)
                .env("CONTOUR", contour)
                .args(args)
                .run()
        };
        run(&["job"]).expect(0);
        run(&["check", "--targets"]).expect(0);
        assert!(run(&["job"]).expect(0).stderr.contains("nothing changed"));
        for name in ["POSTGRES_PASSWORD", "JWT_SECRET", "PORT"] {
            assert_eq!(
                variable(&files[0], name),
                variable(&files[1], name),
                "{contour} {name}"
            );
        }
        assert_eq!(variable(&files[0], "PORT"), api);
        assert_eq!(
            variable(&files[0], "POSTGRES_PASSWORD"),
            format!("gp-{contour}-pässwörd-#1")
        );
        assert!(variable(&files[0], "DATABASE_URL").starts_with(&format!(
            "postgresql://gprod:gp-{contour}-p%C3%A4ssw%C3%B6rd-%231@db:5432/"
        )));
        for (name, value) in [
            ("POSTGRES_PORT", db),
            ("ADMINER_PORT", adminer),
            ("REDIS_PORT", redis),
            ("NETWORK", network),
        ] {
            assert_eq!(variable(&files[1], name), value, "{contour} {name}");
        }
        let docker = dir.path().join("gybernaty-infra/docker");
        let project = loaded(
            &files[1],
            &[
                &docker.join("docker-compose.yml"),
                &docker.join(format!("{contour}/docker-compose.{contour}.yml")),
            ],
        );
        for (service, port) in [
            ("api", api),
            ("db", db),
            ("adminer", adminer),
            ("redis", redis),
        ] {
            assert_eq!(published(&project, service), [port], "{contour}");
        }
        assert_eq!(project["networks"]["default"]["name"], network);
        for volume in ["pgdata", "app_data"] {
            let volume = format!("{volume}_{contour}");
            assert_eq!(project["volumes"][&volume]["name"], *volume);
        }
        let services = &project["services"];
        assert_eq!(
            services["db"]["environment"]["POSTGRES_PASSWORD"],
            format!("gp-{contour}-pässwörd-#1")
        );
        assert_eq!(
            services["api"]["environment"]["DATABASE_URL"],
            variable(&files[0], "DATABASE_URL")
        );
    }

    let after = fs::read_to_string(&files[0]).expect("there");
    let managed = |line: &&str| {
        !["JWT_SECRET", "PORT", "DATABASE_URL", "POSTGRES_PASSWORD"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let others: Vec<&str> = after.lines().filter(managed).collect();
    assert_eq!(
        others,
        before.lines().filter(managed).collect::<Vec<_>>(),
        "other lines, comments and their order stay"
    );
    assert!(
        fs::read_to_string(&files[1])
            .expect("there")
            .contains("export NETWORK=gp-network-prod\n"),
        "`export` stays"
    );
}

/// The names that stand in a file of variables.
fn names(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a file");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split_once('='));
    let mut names: Vec<String> = names
        .map(|(name, _)| name.trim_start_matches("export ").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn gprods_readme_shows_what_keyferry_says() {
    let dir = copy("gprod");
    let infra = dir.path().join("infra");
    let docker = dir.path().join("gybernaty-infra/docker");
    let [no_variable, other_contour, no_contour] = mistakes("gprod");
    let backend = dir.path().join("gprod-backend/.env");
    let before = fs::read_to_string(&backend).expect("there");
    fs::write(&backend, format!("{before}SMTP_USER\n")).expect("written");
    answered(&no_variable, &run(&infra, &["job"]).expect(6));
    fs::write(&backend, before).expect("written");

    // A `docker` that only says what it was called with.
    let programs = dir.path().join("bin");
    fs::create_dir(&programs).expect("made");
    let program = programs.join("docker");
    fs::write(&program, "#!/bin/sh\necho docker \"$@\"\n").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("allowed");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_keyferry"), programs.join("keyferry"))
        .expect("linked");
    let script = |script: &Path, contour: &str| {
        let path = format!("{}:/usr/bin:/bin", programs.display());
        Run::of(script)
            .env("PATH", path)
            .env("CONTOUR", contour)
            .args([contour])
            .run()
    };
    run(&infra, &["job"]).expect(0);
    let up = docker.join("up");
    assert!(script(&up, "dev").expect(0).stdout.contains(
        "docker compose --project-name gprod-dev --env-file ../.env -f docker-compose.yml -f \
         dev/docker-compose.dev.yml up -d"
    ));
    let refused = script(&up, "stage").expect(10);
    answered(&other_contour, &refused);
    assert!(!refused.stdout.contains("docker compose"));
    let hook = dir.path().join("gybernaty-infra/.githooks/pre-commit");
    script(&hook, "dev").expect(0);
    script(&hook, "stage").expect(10);

    let nope = keyferry().dir(&infra).env("CONTOUR", "nope").args(["job"]);
    answered(&no_contour, &nope.run().expect(4));
    for repository in ["gprod-backend", "gybernaty-infra"] {
        let folder = dir.path().join(repository);
        assert_eq!(
            names(&folder.join(".env.example")),
            names(&folder.join(".env")),
            "{repository}"
        );
    }
}

#[test]
fn archpads_readme_shows_the_policy() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/archpad");
    let text = fs::read_to_string(example.join("README.md")).expect("a README");
    let mut grants = keyferry()
        .dir(example.join("infra/timeweb/10-gitops/apps/backend"))
        .args(["grants", "vault", "-o", "hcl"]);
    for service in [
        "arch-repo-service",
        "hasura-sync-service",
        "registry-secret-sync",
        "tenant-service",
    ] {
        let config = format!("{service}/keyferry.yaml");
        let account = format!("platform/{service}");
        grants = grants.args(["-c", &config, "--service-account", &account]);
    }
    let printed = grants.run().expect(0).stdout;
    let of = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let paths = lines.filter(|line| line.starts_with("path "));
        paths.map(str::to_owned).collect()
    };
    let shown = blocks(&text, "hcl").next().expect("a policy");
    assert_eq!(of(&shown), of(&printed));
    assert_eq!(shown.matches("kv/metadata/").count(), 3, "{shown}");
    assert!(!text.contains("/*\""), "no wildcard");
}

#[test]
fn every_example_is_a_valid_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut folders = vec![root];
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name == "keyferry.yaml" {
                run(&folder, &["check", "--config", &name]).expect(0);
                checked += 1;
            }
        }
    }
    assert!(checked >= 8, "the examples were found: {checked}");
}
