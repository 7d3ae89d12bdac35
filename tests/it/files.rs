//! Files and folders as targets: every row of the fault list under "File sink", on real file
//! systems.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keyferry::base::artifact;
use keyferry::base::artifact::{
    Artifact, EnvLine, FileAccess, FileArtifact, FileBody, FileSetArtifact, Variables,
};
use keyferry::base::failure::{Class, Failure};
use keyferry::base::material::SecretBytes;
use keyferry::base::observed::Observed;
use keyferry::config::Config;
use keyferry::pass::apply;
use keyferry::pass::observe;
use keyferry::pass::world::World;
use keyferry::plan::{Action, Reason, plan};

mod foreign;
mod full;
mod safe;
mod sink;

use crate::support::run::{Output, Run, keyferry};

fn whole(path: impl Into<PathBuf>, body: &str) -> FileArtifact {
    FileArtifact {
        path: path.into(),
        body: FileBody::Whole(body.into()),
        variables: Variables::Opaque,
        access: FileAccess::PRIVATE,
    }
}

fn set(dir: impl Into<PathBuf>, files: &[(&str, &str)]) -> FileSetArtifact {
    let files = files
        .iter()
        .map(|(name, body)| ((*name).to_owned(), SecretBytes::from(*body)));
    FileSetArtifact {
        dir: dir.into(),
        files: files.collect(),
        access: FileAccess::PRIVATE,
    }
}

fn world(root: Option<&Path>) -> World {
    let config = Config::default();
    World::new(&config, root.map(Path::to_owned), Duration::from_secs(5))
}

/// One pass over one artifact: what was decided, and what came of it.
fn pass_in(artifact: Artifact, root: Option<&Path>) -> (Action, Result<(), Failure>) {
    let world = world(root);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let desired = artifact::Desired {
            deliveries: vec![artifact::Wanted {
                delivery: "d".into(),
                artifacts: Ok(vec![artifact]),
            }],
        };
        let observed = observe::observe(&desired, &world).await;
        let plan = plan(desired, observed);
        let action = plan.deliveries[0].steps.as_ref().expect("known")[0]
            .action
            .clone();
        let mut applied = apply::apply(plan, &world).await;
        world.close().await;
        (action, applied.results.remove(0).remove(0))
    })
}

fn pass(artifact: Artifact) -> (Action, Result<(), Failure>) {
    pass_in(artifact, None)
}

/// Put in place, and a second pass finds nothing to do.
fn put(artifact: impl Fn() -> Artifact) {
    let (_, done) = pass(artifact());
    done.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(
        pass(artifact()).0,
        Action::Keep,
        "the second pass finds nothing to do"
    );
}

fn refused(artifact: Artifact) -> Failure {
    let (_, done) = pass(artifact);
    done.expect_err("must be refused")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("there").mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("listed")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn row_02_paths_under_a_root_stay_there() {
    let dir = folder();
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("made");
    fs::create_dir(dir.path().join("outside")).expect("made");
    symlink(dir.path().join("outside"), root.join("link")).expect("linked");
    for path in [
        root.join("../outside/a.env"),
        dir.path().join("outside/a.env"),
        root.join("link/a.env"),
    ] {
        let (_, done) = pass_in(Artifact::of_file(whole(&path, "A=1\n")), Some(&root));
        assert_eq!(
            done.expect_err("outside").class,
            Class::Refused,
            "{}",
            path.display()
        );
    }
    assert!(
        names(&dir.path().join("outside")).is_empty(),
        "nothing was created"
    );
    let (_, done) = pass_in(
        Artifact::of_file(whole(root.join("a.env"), "A=1\n")),
        Some(&root),
    );
    done.expect("inside");
    for name in ["../x", "/x", "a/b", "..data", "", "a\0b"] {
        let failure = refused(Artifact::of_set(set(&root, &[(name, "v")])));
        assert_eq!(failure.class, Class::Refused, "{name:?}");
        assert!(failure.what.contains("unsafe target path"), "{failure}");
    }
}

#[test]
fn row_44_a_killed_run_leaves_old_or_new_and_the_next_heals() {
    let dir = folder();
    let config = "deliveries:\n  - name: a\n    fields: {A: '${V}', B: '${V}'}\n    to: \
        [{files: {dir: set}}, {file: {path: one.env}}]\n";
    fs::write(dir.path().join("keyferry.yaml"), config).expect("written");
    fs::create_dir(dir.path().join("set")).expect("made");
    let run = |version: usize| {
        keyferry()
            .dir(dir.path())
            .env("V", version.to_string())
            .args(["job"])
    };
    assert_eq!(run(0).run().code, 0);
    for round in 1..120_usize {
        let going = run(round).start();
        std::thread::sleep(Duration::from_micros(((round * 7919) % 120) as u64 * 400));
        going.signal(rustix::process::Signal::KILL);
        going.finish();
        let read = |name: &str| {
            fs::read_to_string(dir.path().join("set/..data").join(name)).expect("whole")
        };
        assert_eq!(read("A"), read("B"), "round {round}: a mixed set");
        let text = fs::read_to_string(dir.path().join("one.env")).expect("whole");
        let lines: Vec<&str> = text.lines().map(|line| &line[2..]).collect();
        assert!(
            text.ends_with('\n') && lines.len() == 2 && lines[0] == lines[1],
            "round {round}: {text:?}"
        );
    }
    assert_eq!(run(1000).run().code, 0);
    let left = names(&dir.path().join("set"));
    assert_eq!(
        left.len(),
        4,
        "two links, `..data` and one generation: {left:?}"
    );
    assert_eq!(
        names(dir.path()),
        ["keyferry.yaml", "one.env", "set"],
        "no temporary file is left"
    );
    assert!(run(1000).run().stderr.contains("nothing changed"));
}

/// Leftovers of every kind that kubelet's writer stumbles over.
#[test]
fn row_44_each_leftover_is_healed() {
    let dir = folder();
    let wanted = || Artifact::of_set(set(dir.path(), &[("a", "1"), ("b", "2")]));
    put(wanted);
    type Damage<'a> = (&'a str, Box<dyn Fn(&Path)>);
    let damages: [Damage<'_>; 6] = [
        (
            "the next link",
            Box::new(|dir| {
                symlink(
                    "..keyferry-0000000000000000",
                    dir.join("..keyferry-0000000000000001.tmp"),
                )
                .expect("linked")
            }),
        ),
        (
            "an orphan generation",
            Box::new(|dir| {
                let orphan = dir.join("..keyferry-00000000000000aa");
                fs::create_dir(&orphan).expect("made");
                fs::write(orphan.join("a"), "plaintext").expect("written");
            }),
        ),
        (
            "a missing link",
            Box::new(|dir| fs::remove_file(dir.join("a")).expect("removed")),
        ),
        (
            "a dangling link",
            Box::new(|dir| symlink("..data/gone", dir.join("gone")).expect("linked")),
        ),
        (
            "another mode",
            Box::new(|dir| {
                fs::set_permissions(dir.join("..data/b"), fs::Permissions::from_mode(0o644))
                    .expect("changed")
            }),
        ),
        (
            "a missing file",
            Box::new(|dir| fs::remove_file(dir.join("..data/a")).expect("removed")),
        ),
    ];
    for (name, damage) in damages {
        damage(dir.path());
        let (action, done) = pass(wanted());
        assert!(matches!(action, Action::Update(_)), "{name}: {action:?}");
        done.expect(name);
        assert_eq!(pass(wanted()).0, Action::Keep, "{name}");
        assert_eq!(
            names(dir.path()).len(),
            4,
            "{name}: {:?}",
            names(dir.path())
        );
        assert_eq!(
            fs::read_to_string(dir.path().join("a")).expect("readable"),
            "1",
            "{name}"
        );
    }
    let fewer = || Artifact::of_set(set(dir.path(), &[("b", "2")]));
    put(fewer);
    assert!(
        !names(dir.path()).contains(&"a".to_owned()),
        "the link of a field that went is gone"
    );
}

/// Runs keyferry where this script prepared the file systems; nothing of it is seen outside.
fn isolated(dir: &Path, prepare: &str) -> Output {
    let script = format!("{prepare} && exec \"$0\" job");
    Run::of("unshare")
        .dir(dir)
        .args(["-rm", "sh", "-c", &script, env!("CARGO_BIN_EXE_keyferry")])
        .run()
}

fn config(dir: &Path, to: &str, value: &str) {
    let text = format!("deliveries:\n  - {{name: a, fields: {{A: \"{value}\"}}, to: [{to}]}}\n");
    fs::write(dir.join("keyferry.yaml"), text).expect("written");
}

#[test]
fn row_46_what_cannot_be_written_is_named() {
    let dir = folder();
    fs::create_dir(dir.path().join("d")).expect("made");
    config(dir.path(), "{file: {path: d/a.env}}", "1");
    let output = isolated(dir.path(), "mount -t tmpfs -o ro none d");
    assert_eq!(output.code, 8, "{}", output.stderr);
    assert!(
        output.stderr.contains("d/") && output.stderr.contains("Read-only file system"),
        "{}",
        output.stderr
    );

    config(dir.path(), "{file: {path: none/a.env}}", "1");
    let output = keyferry().dir(dir.path()).args(["job"]).run();
    assert_eq!(output.code, 8, "{}", output.stderr);
    assert!(
        output.stderr.contains("folder none does not exist")
            && output.stderr.contains("createDirs"),
        "{}",
        output.stderr
    );
    assert!(!dir.path().join("none").exists());
    config(
        dir.path(),
        "{file: {path: none/deep/a.env, createDirs: true}}",
        "1",
    );
    assert_eq!(keyferry().dir(dir.path()).args(["job"]).run().code, 0);
    assert_eq!(
        (
            mode(dir.path().join("none")),
            mode(dir.path().join("none/deep"))
        ),
        (0o700, 0o700)
    );

    // Only one user is known in there, so no file can be given to another.
    config(dir.path(), "{file: {path: d/b.env, uid: 4242}}", "1");
    let output = isolated(dir.path(), "true");
    assert_eq!(output.code, 8, "{}", output.stderr);
    assert!(
        output.stderr.contains("cannot change the owner of"),
        "{}",
        output.stderr
    );
    assert!(names(&dir.path().join("d")).is_empty(), "no leftover");
}

#[test]
fn row_48_modes_are_exact_whatever_the_umask() {
    let dir = folder();
    config(
        dir.path(),
        "{file: {path: new/a.env, createDirs: true}}, {file: \
         {path: new/b.env, mode: '0640', createDirs: true}}, {files: \
         {dir: new/set, createDirs: true, mode: '0444', dirMode: '0755'}}",
        "1",
    );
    for umask in ["000", "077", "777"] {
        let script = format!("rm -rf new && umask {umask} && exec \"$0\" job");
        let output = Run::of("sh")
            .dir(dir.path())
            .args(["-c", &script, env!("CARGO_BIN_EXE_keyferry")])
            .run();
        assert_eq!(output.code, 0, "{umask}: {}", output.stderr);
        let at = |name: &str| mode(dir.path().join(name));
        assert_eq!(
            [
                at("new"),
                at("new/a.env"),
                at("new/b.env"),
                at("new/set"),
                at("new/set/..data/A")
            ],
            [0o700, 0o400, 0o640, 0o755, 0o444],
            "{umask}"
        );
        let generation = fs::canonicalize(dir.path().join("new/set/..data")).expect("there");
        assert_eq!(mode(generation), 0o755, "{umask}");
    }
}

#[test]
fn row_49_equal_content_is_not_touched() {
    let dir = folder();
    let path = dir.path().join("a.env");
    let wanted = || Artifact::of_file(whole(&path, "A=1\n"));
    put(wanted);
    let before = fs::metadata(&path).expect("there");
    assert_eq!(pass(wanted()).0, Action::Keep);
    let after = fs::metadata(&path).expect("there");
    assert_eq!(
        (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
        (after.ino(), after.mtime_nsec(), after.ctime_nsec())
    );

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    let (action, done) = pass(wanted());
    assert_eq!(action, Action::Update(Reason::Access));
    done.expect("mended");
    let mended = fs::metadata(&path).expect("there");
    assert_eq!(
        (mended.ino(), mended.mtime_nsec(), mended.mode() & 0o7777),
        (before.ino(), before.mtime_nsec(), 0o400),
        "only the mode changed"
    );
}

#[test]
fn row_50_readers_never_see_a_mixed_or_missing_set() {
    let dir = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let write = |version: usize| {
        let body = version.to_string().repeat(200);
        let (_, done) = pass(Artifact::of_set(set(
            dir.path(),
            &[("a", &body), ("b", &body)],
        )));
        done.expect("written");
    };
    write(0);
    let stop = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                let data = fs::File::open(dir.path().join("..data")).expect("the set is there");
                let read = |name: &str| {
                    let flags = rustix::fs::OFlags::RDONLY;
                    let mode = rustix::fs::Mode::empty();
                    let file = rustix::fs::openat(data.as_fd(), name, flags, mode)?;
                    Ok(std::io::read_to_string(fs::File::from(file)).expect("text"))
                };
                let pair: Result<(String, String), rustix::io::Errno> =
                    read("a").and_then(|a| Ok((a, read("b")?)));
                let direct = fs::read(dir.path().join("a"));
                // A reader that this machine held up for longer than old files stay may miss them,
                // and reads again.
                if start.elapsed() > Duration::from_millis(10) {
                    continue;
                }
                let (a, b) = pair.expect("stable names");
                assert_eq!(a, b, "a mixed set");
                assert!(!direct.expect("a stable name").is_empty());
                reads += 1;
            }
            reads
        });
        for version in 1..400 {
            write(version);
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().expect("the reader was content")
    });
    assert!(reads > 1000, "the reader was awake: {reads}");
}

#[test]
fn row_51_a_file_that_is_mounted_by_itself_is_written_only_on_request() {
    let dir = folder();
    for (extra, code) in [("", 2), (", inPlace: true", 0)] {
        fs::write(dir.path().join("under"), "A=old\n").expect("written");
        fs::write(dir.path().join("a.env"), "").expect("written");
        config(
            dir.path(),
            &format!("{{file: {{path: a.env{extra}}}}}"),
            "new",
        );
        let script = "mount --bind under a.env; \"$0\" job; code=$?; cat a.env; exit $code";
        let output = Run::of("unshare")
            .dir(dir.path())
            .args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_keyferry")])
            .run();
        assert_eq!(output.code, code, "{}", output.stderr);
        assert_eq!(output.stdout, if code == 0 { "A=new\n" } else { "A=old\n" });
        assert!(
            code == 0 || output.stderr.contains("inPlace: true"),
            "{}",
            output.stderr
        );
        assert!(
            !names(dir.path()).iter().any(|name| name.ends_with(".tmp")),
            "no leftover"
        );
    }
}

#[test]
fn row_52_memory_is_demanded_where_said() {
    let dir = folder();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let require = |path: PathBuf| {
        let file = whole(path, "A=1\n");
        Artifact::of_file(FileArtifact {
            access: FileAccess {
                require_tmpfs: true,
                ..FileAccess::PRIVATE
            },
            ..file
        })
    };
    put(|| require(memory.path().join("a.env")));
    if rustix::fs::statfs(dir.path()).expect("known").f_type != 0x0102_1994 {
        let failure = refused(require(dir.path().join("a.env")));
        assert_eq!(failure.class, Class::Refused);
        assert!(
            failure.what.contains("is not on a memory file system"),
            "{failure}"
        );
        assert!(names(dir.path()).is_empty());
    }
}

#[test]
fn row_53_a_signal_ends_a_run_between_two_writes() {
    let dir = folder();
    config(dir.path(), "{file: {path: a.env}}", "1");
    let text = fs::read_to_string(dir.path().join("keyferry.yaml")).expect("there");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("bound");
    let server = format!(
        "vault: {{address: 'http://{address}', auth: {{token: {{file: t}}}}}}\n{text}  - {{name: \
         b, from: [{{vault: kv/b}}], to: [{{file: {{path: b.env}}}}]}}\n"
    );
    fs::write(dir.path().join("keyferry.yaml"), server).expect("written");
    fs::write(dir.path().join("t"), "hvs.token").expect("written");
    let going = keyferry().dir(dir.path()).args(["job"]).start();
    let _connection = port.accept().expect("it asks");
    let start = Instant::now();
    going.signal(rustix::process::Signal::TERM);
    let output = going.finish();
    assert_eq!(output.code, 143, "{}", output.stderr);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    // What had its source may be there, whole; what waited was not begun, and nothing is left in
    // halves.
    let left = names(dir.path());
    let others: Vec<&String> = left.iter().filter(|name| *name != "a.env").collect();
    assert_eq!(others, ["keyferry.yaml", "t"]);
}

#[test]
fn row_64_twenty_values_of_a_mebibyte_are_carried() {
    let dir = folder();
    let large = "x".repeat(1 << 20);
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), large.as_str()))
        .collect();
    put(|| Artifact::of_set(set(dir.path(), &files)));
}

#[test]
fn edited_files_keep_every_other_byte_and_their_owner() {
    let dir = folder();
    let path = dir.path().join(".env");
    let text = "# mine\r\nexport A=old # why\r\n\r\nOTHER='x y'\r\nB=\"2\"";
    fs::write(&path, text).expect("written");
    let line = |name: &str, value: &str| EnvLine {
        name: name.into(),
        value: value.into(),
        line: format!("{name}={value}").into(),
    };
    let wanted = || {
        Artifact::of_file(FileArtifact {
            path: path.clone(),
            body: FileBody::Lines(vec![line("A", "new"), line("B", "2"), line("C", "3")]),
            variables: Variables::Opaque,
            access: FileAccess {
                mode: 0o600,
                ..FileAccess::PRIVATE
            },
        })
    };
    put(wanted);
    let edited = fs::read_to_string(&path).expect("there");
    assert_eq!(
        edited,
        "# mine\r\nexport A=new # why\r\n\r\nOTHER='x y'\r\nB=\"2\"\nC=3\n"
    );
    let before = fs::metadata(&path).expect("there").mtime_nsec();
    assert_eq!(pass(wanted()).0, Action::Keep);
    assert_eq!(fs::metadata(&path).expect("there").mtime_nsec(), before);
    let missing = dir.path().join("new.env");
    let (action, done) = pass(Artifact::of_file(FileArtifact {
        path: missing.clone(),
        body: FileBody::Lines(vec![line("A", "1")]),
        variables: Variables::Opaque,
        access: FileAccess::PRIVATE,
    }));
    assert_eq!((action, done), (Action::Create, Ok(())));
    assert_eq!(fs::read_to_string(&missing).expect("there"), "A=1\n");
}

#[tokio::test]
async fn what_was_seen_is_not_shown() {
    let dir = folder();
    let path = dir.path().join("a.env");
    fs::write(&path, "A=canary-value\n").expect("written");
    let world = world(None);
    let file = Arc::new(whole(&path, "A=canary-valu2\n"));
    let seen = observe::file::look(&file, &world).await;
    assert!(matches!(&seen.state, Observed::File(state) if state.bytes.is_some()));
    assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
}
