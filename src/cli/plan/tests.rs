use super::*;
use crate::app::config;

fn args(arguments: &[&str]) -> Result<Args, clap::Error> {
    #[derive(clap::Parser)]
    struct Parser {
        #[command(flatten)]
        args: Args,
    }
    clap::Parser::try_parse_from(std::iter::once(&"plan").chain(arguments)).map(|parser: Parser| parser.args)
}

#[test]
fn a_folder_and_a_ref_exclude_each_other_and_a_folder_must_exist() {
    assert!(args(&["--zones", "zones", "--ref", "refs/heads/x"]).is_err());
    let config = config::parse("reconciler.yaml", b"{}", &config::Environment::default()).unwrap();
    let missing = Chosen::new(&args(&["--zones", "no-such-folder"]).unwrap(), &config).err().unwrap();
    assert_eq!(missing.exit_code, ExitCode::Usage);
    let nothing = Chosen::new(&args(&[]).unwrap(), &config).err().unwrap();
    assert!(nothing.cause.contains("source.url"), "{nothing}");
}

#[test]
fn the_scratch_folder_goes_with_the_command() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.0.clone();
    assert!(folder.is_dir());
    drop(scratch);
    assert!(!folder.exists());
}
