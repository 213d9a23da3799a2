//! The config file: found, read, overruled by the command line, and refused in one sentence.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use conntop::diagnosis::thresholds::{THRESHOLDS, Thresholds};

use crate::program::{Ended, conntop, ended};
#[cfg(target_os = "linux")]
use crate::program_copy::ProgramCopy;
#[cfg(target_os = "linux")]
use crate::skip::skip;

/// A home with a config file that says `text`.
fn home(text: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let file = home.path().join(".config/conntop/config.toml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
    fs::write(&file, text).expect("writable");
    (home, file)
}

fn list_with(home: &Path, arguments: &[&str]) -> Ended {
    ended(conntop().env("HOME", home).args(["list", "--source", "synthetic", "--limit", "1"]).args(arguments))
}

/// The sentence of a config file that cannot be used.
fn refused(ended: &Ended, code: i32) -> &str {
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr.trim_end()
}

#[test]
fn a_setting_of_the_file_counts_and_the_command_line_counts_more() {
    // A made-up server has no other namespaces, and says so when it is asked for them.
    let (home, _) = home("all-netns = true\n");
    assert!(refused(&list_with(home.path(), &[]), 2).contains("--all-netns"));
    assert_eq!(list_with(home.path(), &["--all-netns=false"]).code, 0);
    assert_eq!(list_with(home.path(), &["--config", "/dev/null"]).code, 0);
}

/// Whether names of hosts are printed; those of a made-up server are made up, and nobody is asked.
#[test]
fn names_of_hosts_are_asked_for_as_the_file_says_unless_the_command_line_forbids_it() {
    let has_names = |text: &str, arguments: &[&str]| {
        let (home, _) = home(text);
        let mut command = conntop();
        let ended = ended(command.env("HOME", home.path()).args(["list", "--demo", "raddr:10.0.0.20"]).args(arguments));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        assert_eq!(ended.stdout.contains("HOST?"), ended.stdout.contains(" node-0-20.internal "));
        ended.stdout.contains("HOST?")
    };
    for (text, arguments, wanted) in [
        ("", &[][..], false),
        ("", &["--dns"], true),
        ("", &["--dns", "--no-dns"], false),
        ("", &["--dns", "--no-dns=false"], true),
        ("dns = true\n", &[], true),
        ("dns = true\n", &["--dns=false"], false),
        ("dns = true\ndns-private = true\n", &["--no-dns"], false),
    ] {
        assert_eq!(has_names(text, arguments), wanted, "{text:?} {arguments:?}");
    }
}

/// What was done in spite of a default file that is not used, and the sentence about that.
fn done_without(ended: &Ended) -> &str {
    assert!(ended.code == 0 && !ended.stdout.is_empty(), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    let sentence = ended.stderr.trim_end();
    assert!(sentence.ends_with("; the defaults hold") && !sentence.contains('\u{1b}'), "{sentence}");
    sentence
}

#[test]
fn thresholds_reach_the_diagnosis_and_a_check_whose_named_file_is_wrong_has_not_looked() {
    let (home, file) = home("[thresholds]\nclose-wait-age = 1\n");
    let named = ["--config", file.to_str().expect("UTF-8")];
    let check = |text: &str, arguments: &[&str]| {
        fs::write(&file, text).expect("writable");
        ended(conntop().env("HOME", home.path()).args(["check", "--demo"]).args(arguments))
    };
    assert!(check("[thresholds]\nclose-wait-age = 1\n", &named).code < 3);
    let wrong = check("[thresholds]\nclose-wait-aeg = 1\n", &named);
    assert_eq!(wrong.code, 3);
    assert!(
        wrong.stdout.starts_with("CONNTOP UNKNOWN - ") && wrong.stdout.contains("close-wait-age"),
        "{}",
        wrong.stdout
    );
    let default = check("[thresholds]\nclose-wait-aeg = 1\n", &[]);
    assert!(default.code < 3 && default.stderr.contains("close-wait-age"), "{}", default.stderr);
    assert_eq!(default.stdout, check("", &named).stdout, "as without a file");
}

#[test]
fn what_is_wrong_is_one_sentence_with_file_line_and_next_step() {
    for (text, parts) in [
        ("interval = 1\nintervall = 2\n", &["line 2", "did you mean 'interval'?"][..]),
        ("interval = 1000", &["line 1", "from 0.1 to 60", "--config /dev/null"]),
        ("\n[thresholds]\nelephant = 1", &["line 3", "unknown key 'elephant'"]),
        ("interval == 1", &["line 1", "--config /dev/null"]),
        ("color = 'red'\u{1b}[2J", &["line 1"]),
    ] {
        let (home, file) = home(text);
        let file = file.to_str().expect("UTF-8");
        let named = list_with(home.path(), &["--config", file]);
        let default = list_with(home.path(), &[]);
        for sentence in [refused(&named, 2), done_without(&default)] {
            assert!(sentence.contains(file) && !sentence.contains('\u{1b}'), "{sentence}");
            for part in parts {
                assert!(sentence.contains(part), "{sentence}");
            }
        }
    }
}

/// Something that stands where the default config file, or a folder on the way to it, would be.
type Obstacle = fn(&Path) -> std::io::Result<()>;

/// Whatever is wrong with a file that nobody asked for, every command goes on without it.
#[cfg(target_os = "linux")]
#[test]
fn a_default_file_that_cannot_be_used_stops_no_command() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;
    let obstacles: [(&str, Obstacle); 5] = [
        ("is a directory", |file| fs::create_dir(file)),
        ("is a FIFO", |file| Ok(mknodat(CWD, file, FileType::Fifo, Mode::RWXU, 0)?)),
        ("is a device", |file| symlink("/dev/zero", file)),
        ("symbolic links", |file| symlink(file, file)),
        ("longer than 64 KiB", |file| fs::File::create(file)?.set_len(1 << 31)),
    ];
    for (what, put) in obstacles {
        let (home, file) = home("");
        fs::remove_file(&file).expect("ours");
        put(&file).expect("writable");
        for command in [&["list", "--demo"][..], &["ports", "--demo"], &["watch", "--demo", "--for", "1"]] {
            let ended = ended(conntop().env("HOME", home.path()).args(command));
            assert!(done_without(&ended).contains(what), "{}", ended.stderr);
        }
        let check = ended(conntop().env("HOME", home.path()).args(["check", "--demo"]));
        assert!(check.code < 3 && check.stderr.contains(what), "{}", check.stderr);
    }
}

#[test]
fn where_the_environment_leads_nowhere_there_are_defaults() {
    let too_long = format!("/{}", "x".repeat(300));
    for (home, is_said) in [("/nonexistent", false), ("/dev/null", false), (too_long.as_str(), true)] {
        for variable in ["HOME", "XDG_CONFIG_HOME"] {
            let ended = ended(conntop().env(variable, home).args(["list", "--demo", "--limit", "1"]));
            assert_eq!((ended.code, !ended.stderr.is_empty()), (0, is_said), "{home}: {}", ended.stderr);
        }
    }
}

/// As runuser, setpriv, cron and containers leave it: another user with root's HOME.
#[cfg(target_os = "linux")]
#[test]
fn a_home_that_may_not_be_looked_into_is_no_config() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        skip("this takes root");
        return;
    }
    let (home, _) = home("all-netns = true\n");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("ours");
    // The program itself may be in a folder that only root may enter.
    let program = ProgramCopy::of(env!("CARGO_BIN_EXE_conntop"), "conntop");
    let mut command = std::process::Command::new(&program.path);
    command.env_remove("XDG_CONFIG_HOME").env("HOME", home.path()).uid(65_534).gid(65_534);
    let output = command.args(["list", "--demo"]).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("cannot be read (Permission denied"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let named = |name: &str| {
        let path = folder.path().join(name);
        ended(conntop().args(["list", "--demo", "--config"]).arg(path))
    };
    assert!(refused(&named("missing.toml"), 2).contains("there is no config file"));
    assert!(refused(&named(""), 1).contains("not a regular file"));
    fs::write(folder.path().join("long.toml"), "#".repeat(64 * 1024 + 1)).expect("writable");
    assert!(refused(&named("long.toml"), 1).contains("longer than 64 KiB"));
    fs::write(folder.path().join("binary.toml"), b"\xff\xfe").expect("writable");
    assert!(refused(&named("binary.toml"), 1).contains("UTF-8"));
}

#[cfg(target_os = "linux")]
#[test]
fn neither_a_pipe_nor_an_endless_file_holds_it_up() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let folder = tempfile::tempdir().expect("a temporary directory");
    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    for path in [pipe.as_path(), Path::new("/dev/zero")] {
        let ended = ended(conntop().args(["list", "--demo", "--config"]).arg(path));
        assert!(refused(&ended, 1).contains("not a regular file"));
    }
}

#[test]
fn xdg_config_home_comes_first_and_a_relative_one_counts_as_none() {
    let (home, _) = home("all-netns = true\n");
    let (other, _) = self::home("");
    let list = |xdg: &Path| {
        let mut command = conntop();
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", xdg).args(["list", "--demo", "--limit", "1"]);
        ended(&mut command).code
    };
    assert_eq!(list(&other.path().join(".config")), 0);
    assert_eq!(list(Path::new("relative")), 2, "the file in the home is read");
    assert_eq!(list(Path::new("")), 2);
}

#[test]
fn nothing_is_read_below_the_working_directory() {
    let (home, _) = home("all-netns = true\n");
    let here = |variable: &str, value: &str| {
        let mut command = conntop();
        command.current_dir(home.path()).env(variable, value).args(["list", "--demo", "--limit", "1"]);
        ended(&mut command).code
    };
    assert_eq!(here("HOME", "."), 0);
    assert_eq!(here("HOME", ""), 0);
    assert_eq!(here("XDG_CONFIG_HOME", ".config"), 0);
}

#[test]
fn without_a_home_there_are_defaults() {
    assert_eq!(ended(conntop().env_clear().args(["list", "--demo", "--limit", "1"])).code, 0);
    let file_as_home = tempfile::NamedTempFile::new().expect("a file");
    assert_eq!(list_with(file_as_home.path(), &[]).code, 0);
}

/// Only root is that careful, and the tests may not be root.
#[cfg(target_os = "linux")]
#[test]
fn root_reads_no_settings_that_others_can_write() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !rustix::process::geteuid().is_root() {
        skip("this takes root");
        return;
    }
    let (home, file) = home("all-netns = true\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
    let ended = list_with(home.path(), &[]);
    assert!(ended.code == 0 && ended.stderr.contains("is not used"), "{}", ended.stderr);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_eq!(list_with(home.path(), &[]).code, 2, "now it is read");
    chown(&file, Some(65_534), None).expect("root may");
    assert_eq!(list_with(home.path(), &[]).code, 0);
    let named = list_with(home.path(), &["--config", file.to_str().expect("UTF-8")]);
    assert_eq!(named.code, 2, "who names a file wants it");
}

#[test]
fn the_example_is_a_valid_config_file() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/config.toml");
    let with = ended(conntop().args(["list", "--demo", "--config", example]));
    assert_eq!((with.code, with.stdout), (0, ended(conntop().args(["list", "--demo"])).stdout));
}

/// The thresholds of the example are written from the table of the program.
#[test]
fn the_example_has_every_threshold_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/config.toml");
    let text = fs::read_to_string(path).expect("the example");
    let (head, _) = text.split_once("[thresholds]\n").expect("the section");
    let mut fresh = format!("{head}[thresholds]\n");
    for row in THRESHOLDS {
        let value = row.value(&Thresholds::default());
        writeln!(fresh, "# {}\n{} = {value}", row.about.replace('`', ""), row.name()).expect("a string takes all");
    }
    if std::env::var_os("CONNTOP_BLESS").is_some() {
        fs::write(path, &fresh).expect("the example can be written");
    }
    let text = fs::read_to_string(path).expect("the example");
    assert!(
        text == fresh,
        "assets/config.toml is behind the program: run CONNTOP_BLESS=1 cargo test --test cli config"
    );
}

/// `--theme` and the setting `theme` take the names of the table of themes; a wrong one is answered with all of them.
#[test]
fn a_theme_is_taken_by_its_name() {
    use conntop::ui::theme::built_in;
    let names = || built_in::names().chain(["auto"]);
    for name in names() {
        let (home, _) = home(&format!("theme = \"{name}\"\n"));
        assert_eq!(list_with(home.path(), &["--theme", name]).code, 0, "{name}");
    }
    let wrong_option = refused(&ended(conntop().args(["list", "--demo", "--theme", "solarized"])), 2).to_owned();
    let (home, _) = home("theme = \"solarized\"\n");
    let wrong_setting = list_with(home.path(), &[]).stderr;
    for name in names() {
        assert!(wrong_option.contains(name), "{wrong_option}");
        assert!(wrong_setting.contains(name), "{wrong_setting}");
    }
}

/// A file of the folder `themes` beside the config file is a theme; what is wrong with it is said with its line.
#[test]
fn a_theme_of_the_user_is_a_file_beside_the_config_file() {
    let (home, file) = home("");
    let folder = file.with_file_name("themes");
    fs::create_dir(&folder).expect("writable");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("writable");
    write("mine.toml", "base = \"dark\"\n[roles]\nalarm = \"#ff00ff\"\n");
    assert_eq!(list_with(home.path(), &["--theme", "mine"]).code, 0);
    write("wrong.toml", "base = \"dark\"\n[roles]\nalram = \"#ff00ff\"\n");
    let sentence = refused(&list_with(home.path(), &["--theme", "wrong"]), 2).to_owned();
    assert!(sentence.contains("wrong.toml, line 3: unknown role 'alram'; did you mean 'alarm'?"), "{sentence}");
    fs::write(&file, "theme = \"wrong\"\n").expect("writable");
    let sentence = list_with(home.path(), &[]).stderr;
    assert!(sentence.contains("line 1: ") && sentence.contains("wrong.toml, line 3: unknown role"), "{sentence}");
    write("long.toml", &"#".repeat(65 * 1024));
    fs::write(&file, "").expect("writable");
    let sentence = refused(&list_with(home.path(), &["--theme", "long"]), 2).to_owned();
    assert!(sentence.contains("long.toml is longer than 64 KiB"), "{sentence}");
    fs::write(home.path().join("outside.toml"), "base = \"dark\"\n").expect("writable");
    let sentence = refused(&list_with(home.path(), &["--theme", "../../../outside"]), 2).to_owned();
    assert!(sentence.contains("../../../outside"), "{sentence}");
}
