//! What others put in the way: links, folders, pipes, and races with them.

use super::*;

#[test]
fn row_47_foreign_nodes_are_refused_and_stay() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("other"), "foreign").expect("written");
    symlink(at("other"), at("link")).expect("linked");
    symlink("/nowhere", at("dangling")).expect("linked");
    fs::create_dir(at("folder")).expect("made");
    fs::hard_link(at("other"), at("hard")).expect("linked");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("made");
    for name in ["link", "dangling", "folder", "hard", "fifo"] {
        let before = fs::symlink_metadata(at(name)).expect("there").ino();
        let failure = refused(Artifact::of_file(whole(at(name), "A=1\n")));
        assert_eq!(failure.class, Class::Refused, "{name}: {failure}");
        assert_eq!(
            fs::symlink_metadata(at(name)).expect("there").ino(),
            before,
            "{name}"
        );
        let set = FileSetArtifact {
            dir: dir.path().into(),
            ..set(dir.path(), &[(name, "v")])
        };
        assert_eq!(
            refused(Artifact::of_set(set)).class,
            Class::Refused,
            "{name} in a set"
        );
    }
    assert_eq!(fs::read_to_string(at("other")).expect("there"), "foreign");
    let failure = refused(Artifact::of_file(whole(
        at("other").join("below.env"),
        "A=1\n",
    )));
    assert_eq!(
        failure.class,
        Class::Refused,
        "a file where a folder is needed: {failure}"
    );
    symlink("..2024_01_01_00_00_00.123456789", at("..data")).expect("linked");
    let failure = refused(Artifact::of_set(set(dir.path(), &[("new", "v")])));
    assert!(
        failure.what.contains("another program lays its files here"),
        "{failure}"
    );
}

#[test]
fn row_47_links_on_the_way_are_followed_only_where_nobody_else_could_make_them() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("real")).expect("made");
    symlink(at("real"), at("link")).expect("linked");
    put(|| Artifact::of_file(whole(at("link/a.env"), "A=1\n")));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("opened");
    let failure = refused(Artifact::of_file(whole(at("link/b.env"), "B=1\n")));
    assert!(
        failure
            .what
            .contains("a symbolic link that others could have made"),
        "{failure}"
    );
    assert!(!at("real/b.env").exists());
}

/// Links are flipped as fast as possible while files are written: nothing ever lands outside.
#[test]
fn row_47_a_race_with_links_never_leaves_the_folder() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("outside")).expect("made");
    fs::write(at("outside/a.env"), "foreign").expect("written");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("opened");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::create_dir(at("target"));
                let _ = fs::remove_file(at("target/a.env"));
                let _ = fs::remove_dir(at("target"));
                let _ = symlink(at("outside"), at("target"));
                let _ = fs::remove_file(at("target"));
            }
        });
        for round in 0..2000 {
            let _ = pass(Artifact::of_file(whole(
                at("target/a.env"),
                &format!("A={round}\n"),
            )));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        fs::read_to_string(at("outside/a.env")).expect("there"),
        "foreign"
    );
    assert_eq!(names(&at("outside")), ["a.env"]);
}
