//! Each command in the docs is one that the program takes: its subcommand, its options and their values.

use clap::Command;

use super::blocks;

/// The program that a line calls, and its words.
fn called(line: &str) -> Option<(Command, Vec<String>)> {
    let line = line.split_once("$ ").map_or(line, |(_, command)| command);
    let words = shlex::split(line)?;
    let name = words.first()?.rsplit('/').next()?;
    let command = match name {
        "seriesgate" => seriesgate::cli::command(),
        "seriesgate-loadtest" => seriesgate_loadtest::cli::command(),
        _ => return None,
    };
    let end = words.iter().position(|word| ["|", "&", ">", "2>&1", "&&", ";", "<"].contains(&word.as_str()));
    // what a shell puts in is a number: the process of a gate
    let words = words[..end.unwrap_or(words.len())].iter();
    Some((
        command,
        words.map(|word| if word.starts_with("$(") { "1".to_owned() } else { word.clone() }).collect(),
    ))
}

#[test]
fn a_command_in_the_docs_is_one_that_the_program_takes() {
    let mut taken = 0;
    for name in blocks::documents() {
        for block in blocks::of(&blocks::read(&name)) {
            if !["sh", "console"].contains(&block.kind.as_str()) {
                continue;
            }
            let text = block.text().replace("\\\n", " ");
            for (command, words) in text.lines().filter_map(called) {
                if let Err(why) = command.try_get_matches_from(&words) {
                    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
                    let is_shown = [DisplayHelp, DisplayVersion].contains(&why.kind());
                    assert!(is_shown, "{name}:{}: {}\n{why}", block.line, words.join(" "));
                }
                taken += 1;
            }
        }
    }
    assert!(taken > 20, "{taken} commands");
}

#[test]
fn an_option_that_is_gone_is_found() {
    let (command, words) = called("sender$ target/release/seriesgate run --conf x | less").expect("a call");
    assert_eq!(words.len(), 4);
    assert!(command.try_get_matches_from(words).is_err());
    assert!(called("cargo run --release -- demo").is_none());
}
