//! What a second pass, a stranger's link, a killed run and an edited file must not lead to.

use super::*;
use std::os::unix::fs::{chown, lchown};

fn edited(path: &Path, value: &str, access: FileAccess) -> Artifact {
    let line = EnvLine {
        name: "A".into(),
        value: value.into(),
        line: format!("A={value}").into(),
    };
    Artifact::of_file(FileArtifact {
        path: path.into(),
        body: FileBody::Lines(vec![line]),
        variables: Variables::Dotenv,
        access,
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn row_49_a_set_of_another_owner_survives_its_second_pass() {
    if !is_root() {
        return;
    }
    let dir = folder();
    let given = |body: &str| {
        let set = set(dir.path(), &[("a", body)]);
        let access = FileAccess {
            uid: Some(4242),
            gid: Some(4243),
            ..FileAccess::PRIVATE
        };
        Artifact::of_set(FileSetArtifact { access, ..set })
    };
    put(|| given("1"));
    put(|| given("2"));
    let file = fs::metadata(dir.path().join("a")).expect("there");
    assert_eq!((file.uid(), file.gid()), (4242, 4243));
    assert_eq!(
        fs::read_to_string(dir.path().join("a")).expect("there"),
        "2"
    );
}

#[test]
fn row_47_no_link_of_a_chain_may_be_a_strangers() {
    if !is_root() {
        return;
    }
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("real")).expect("made");
    fs::create_dir(at("theirs")).expect("made");
    symlink(at("real"), at("theirs/hop")).expect("linked");
    symlink(at("theirs/hop"), at("ours")).expect("linked");
    put(|| Artifact::of_file(whole(at("ours/a.env"), "A=1\n")));
    // The link itself, then the folder that holds it.
    lchown(at("theirs/hop"), Some(4242), None).expect("given");
    let failure = refused(Artifact::of_file(whole(at("ours/b.env"), "B=1\n")));
    assert_eq!(failure.class, Class::Refused, "{failure}");
    lchown(at("theirs/hop"), Some(0), None).expect("given");
    chown(at("theirs"), Some(4242), None).expect("given");
    let failure = refused(Artifact::of_file(whole(at("ours/b.env"), "B=1\n")));
    assert!(failure.what.contains("symbolic link"), "{failure}");
    assert!(!at("real/b.env").exists());
}

#[test]
fn row_44_what_a_killed_run_left_goes_though_the_target_is_equal() {
    let dir = folder();
    let path = dir.path().join("a.env");
    let wanted = || Artifact::of_file(whole(&path, "A=1\n"));
    put(wanted);
    let before = fs::metadata(&path).expect("there");
    fs::write(dir.path().join(".keyferry-0123456789abcdef.tmp"), "A=1\n").expect("left");
    fs::write(dir.path().join(".keyferry-mine.tmp"), "of others").expect("written");
    let (action, done) = pass(wanted());
    assert!(
        matches!(&action, Action::Update(Reason::Damage(what)) if what.contains("killed run")),
        "{action:?}"
    );
    done.expect("swept");
    assert_eq!(names(dir.path()), [".keyferry-mine.tmp", "a.env"]);
    let after = fs::metadata(&path).expect("there");
    assert_eq!(
        (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
        (after.ino(), after.mtime_nsec(), after.ctime_nsec())
    );
    assert_eq!(pass(wanted()).0, Action::Keep);
}

#[test]
fn row_52_a_refused_disk_gets_no_folders() {
    let dir = folder();
    if rustix::fs::statfs(dir.path()).expect("known").f_type == 0x0102_1994 {
        return;
    }
    let file = whole(dir.path().join("new/deep/a.env"), "A=1\n");
    let access = FileAccess {
        require_tmpfs: true,
        create_dirs: true,
        ..FileAccess::PRIVATE
    };
    let failure = refused(Artifact::of_file(FileArtifact { access, ..file }));
    assert_eq!(failure.class, Class::Refused, "{failure}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn row_47_a_root_spelt_as_a_dot_is_not_left() {
    let dir = folder();
    fs::create_dir(dir.path().join("in")).expect("made");
    for (path, code) in [("../x.env", 2), ("sub/../../x.env", 2), ("x.env", 0)] {
        config(
            &dir.path().join("in"),
            &format!("{{file: {{path: {path}, createDirs: true}}}}"),
            "1",
        );
        let output = keyferry()
            .dir(dir.path().join("in"))
            .args(["job", "--root", "."])
            .run();
        assert_eq!(output.code, code, "{path}: {}", output.stderr);
        assert!(!dir.path().join("x.env").exists());
    }
}

#[test]
fn row_49_an_edited_file_keeps_its_mode_and_owner_unless_told() {
    let dir = folder();
    let path = dir.path().join(".env");
    let quoted = "Z='it is # theirs'\n";
    fs::write(&path, format!("A=old\n{quoted}")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    let owner = if is_root() {
        4242
    } else {
        rustix::process::geteuid().as_raw()
    };
    if is_root() {
        chown(&path, Some(owner), Some(owner)).expect("given");
    }
    let kept = || FileAccess {
        keep_mode: true,
        adopt: true,
        ..FileAccess::PRIVATE
    };
    put(|| edited(&path, "new", kept()));
    let file = fs::metadata(&path).expect("there");
    assert_eq!((file.uid(), file.mode() & 0o7777), (owner, 0o644));
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        format!("A=new\n{quoted}")
    );
    let new = dir.path().join("new.env");
    put(|| edited(&new, "1", kept()));
    assert_eq!(mode(&new), 0o400, "a new file is closed");
}

#[test]
fn row_49_the_plan_tells_what_else_becomes_of_a_file() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    config(dir.path(), "{file: {path: a.env}}", "canary");
    fs::write(at("a.env"), "A=old\nMINE=canary2\n").expect("written");
    fs::set_permissions(at("a.env"), fs::Permissions::from_mode(0o644)).expect("set");
    let plan = || keyferry().dir(dir.path()).args(["plan"]).run().stdout;
    let shown = plan();
    for part in [
        "content differs; replaces the whole file that stands there; mode 0644 becomes 0400",
        "~ A (6 bytes)",
        "- MINE",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains("canary") && !shown.contains("content ("),
        "{shown}"
    );
    config(dir.path(), "{file: {path: a.env, edit: true}}", "canary");
    let shown = plan();
    assert!(
        !shown.contains("becomes") && !shown.contains("replaces"),
        "{shown}"
    );
    config(
        dir.path(),
        "{file: {path: a.env, edit: true, mode: '0600'}}",
        "canary",
    );
    assert!(plan().contains("mode 0644 becomes 0600"));
}
