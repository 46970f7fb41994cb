//! Commits to the source: to a path, over https and over ssh, beside others who push, and to servers that say no or die.

mod lost;
mod refused;

use std::time::Duration;

use partner_zones::reconcile::source::{
    Access, Author, COMMITTER, CommitError, GitConfig, Onto, Proposal, Pushed, Source,
};

use super::{Hosted, MAIN, content, read};
use crate::support::git_https::GitHttps;
use crate::support::sshd::Sshd;

const SOON: Duration = Duration::from_secs(10);
const ACME: &str = "zones/acme.yaml";

/// A repository, and a source that reaches it one way.
struct Place {
    hosted: Hosted,
    way: Way,
    config: GitConfig,
    source: Source,
}

/// What has to live as long as the source.
enum Way {
    Path,
    Https(Box<GitHttps>),
    Ssh(Sshd),
}

impl Place {
    async fn all() -> [Self; 3] {
        let [https, ssh] = Self::served().await;
        let hosted = Hosted::new();
        let config = hosted.config(hosted.repository.url().to_str().unwrap());
        [Self::of(hosted, Way::Path, config), https, ssh]
    }

    /// Those with Git itself on the other side.
    async fn served() -> [Self; 2] {
        [Self::https().await, Self::ssh()]
    }

    async fn https() -> Self {
        let hosted = Hosted::new();
        hosted.repository.bare(&["config", "http.receivepack", "true"]);
        let server = GitHttps::start(&hosted.root()).await;
        let access = Access { ca_file: Some(server.ca_file()), ..Access::default() };
        let config = GitConfig { access, ..hosted.config(&server.url("zones.git")) };
        Self::of(hosted, Way::Https(Box::new(server)), config)
    }

    fn ssh() -> Self {
        let (hosted, sshd) = (Hosted::new(), Sshd::start());
        let name = format!("[127.0.0.1]:{}", sshd.port());
        let lines = format!("{name} {}\n{name} {}\n", sshd.host_key("ed25519"), sshd.host_key("rsa"));
        let access = Access {
            ssh_key_file: Some(sshd.key()),
            known_hosts_file: Some(sshd.known_hosts(&lines)),
            ..Access::default()
        };
        let config = GitConfig { access, ..hosted.config(&sshd.url(&hosted.repository.url())) };
        Self::of(hosted, Way::Ssh(sshd), config)
    }

    fn of(hosted: Hosted, way: Way, config: GitConfig) -> Self {
        let source = Source::git(config.clone()).unwrap();
        Self { hosted, way, config, source }
    }

    /// The same with another configuration: the mirror has one user.
    fn with(self, change: impl FnOnce(&mut GitConfig)) -> Self {
        let Self { hosted, way, mut config, source } = self;
        drop(source);
        change(&mut config);
        Self::of(hosted, way, config)
    }

    fn server(&self) -> &GitHttps {
        match &self.way {
            Way::Https(server) => server,
            Way::Path | Way::Ssh(_) => panic!("there is no server over https"),
        }
    }

    fn name(&self) -> &'static str {
        match self.way {
            Way::Path => "path",
            Way::Https(_) => "https",
            Way::Ssh(_) => "ssh",
        }
    }

    /// Where the branch stands.
    fn head(&self) -> String {
        self.hosted.repository.bare(&["rev-parse", MAIN])
    }

    /// Reads, and proposes another content for the one file.
    async fn change(&self, to: &str) -> Proposal {
        proposal(&read(&self.source).await.unwrap().commit.unwrap().id, &[(ACME, Some(to))])
    }

    async fn commit(&self, proposal: Proposal) -> Result<Pushed, CommitError> {
        self.source.commit(proposal).await
    }
}

fn proposal(base: &str, files: &[(&str, Option<&str>)]) -> Proposal {
    let file = |(path, content): &(&str, Option<&str>)| {
        ((*path).to_owned(), content.map(|it| it.as_bytes().to_vec()))
    };
    Proposal {
        base: base.to_owned(),
        files: files.iter().map(file).collect(),
        author: Author { name: "Ada\nLovelace <root>".to_owned(), email: "ada@example.com>\n".to_owned() },
        message: "Share orders with Acme\n\nAsked for by Bob.".to_owned(),
        onto: Onto::Source,
    }
}

fn onto(branch: &str, proposal: Proposal) -> Proposal {
    Proposal { onto: Onto::Branch(branch.to_owned()), ..proposal }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_on_the_branch_with_its_author_and_is_read_at_once() {
    for place in Place::all().await {
        let repository = &place.hosted.repository;
        repository.write("zones/old/gone.yaml", "gone");
        repository.write("README.md", "stays");
        let acme = repository.clone().join(ACME);
        std::fs::set_permissions(acme, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        place.hosted.push("one");
        let first = read(&place.source).await.unwrap();
        let base = first.commit.unwrap().id;
        let files =
            [(ACME, Some("two")), ("zones/new/deep/other.yaml", Some("new")), ("zones/old/gone.yaml", None)];
        let pushed = place.commit(proposal(&base, &files)).await.unwrap();
        assert_eq!((&pushed.commit, pushed.reference.as_str()), (&place.head(), MAIN), "{}", place.name());
        let told = tokio::time::timeout(SOON, place.source.changed().notified_owned()).await;
        assert!(told.is_ok(), "{}: whoever reads the source is told", place.name());

        let format = "--format=%P|%an|%ae|%cn|%ce|%B";
        let shown = repository.bare(&["log", "-1", format, MAIN]);
        let who = format!("Ada Lovelace root|ada@example.com|{}|{}", COMMITTER.0, COMMITTER.1);
        assert_eq!(shown, format!("{base}|{who}|Share orders with Acme\n\nAsked for by Bob."));
        let names = repository.bare(&["ls-tree", "-r", "--format=%(objectmode) %(path)", MAIN]);
        let wanted = "100644 README.md\n100755 zones/acme.yaml\n100644 zones/new/deep/other.yaml";
        assert_eq!(names, wanted, "modes are kept, and an empty folder is none");
        repository.bare(&["fsck", "--strict", "--full"]);

        let second = read(&place.source).await.unwrap();
        assert_eq!((content(&second), &second.commit.as_ref().unwrap().id), ("two", &pushed.commit));
        assert_eq!(second.files.len(), 2);
        // And once more, on top of what was pushed.
        place.commit(place.change("three").await).await.unwrap();
        assert_eq!(repository.bare(&["show", &format!("{MAIN}:{ACME}")]), "three");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_pushed_first_is_not_lost_even_if_that_was_a_step_back() {
    for place in Place::all().await {
        place.hosted.push("two");
        let ours = place.change("ours").await;
        let theirs = place.hosted.push("theirs");
        let moved = place.commit(ours.clone()).await.unwrap_err();
        assert!(matches!(moved, CommitError::Moved(_)), "{}: {moved}", place.name());
        assert_eq!(place.head(), theirs);
        // Back behind what was read, which a plain push would take for a step forward.
        let back = format!("{}^", ours.base);
        place.hosted.repository.bare(&["update-ref", MAIN, &back]);
        let before = place.head();
        let moved = place.commit(ours.clone()).await.unwrap_err();
        assert!(matches!(moved, CommitError::Moved(_)), "{}: {moved}", place.name());
        assert_eq!(place.head(), before);
        // A history that has nothing to do with it, and none at all.
        place.hosted.repository.git(&["checkout", "--quiet", "--orphan", "foreign"]);
        place.hosted.repository.git(&["commit", "--quiet", "--message", "foreign"]);
        place.hosted.repository.git(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
        let moved = place.commit(ours.clone()).await.unwrap_err();
        assert!(matches!(moved, CommitError::Moved(_)), "{}: {moved}", place.name());
        place.hosted.repository.bare(&["update-ref", "-d", MAIN]);
        let moved = place.commit(ours.clone()).await.unwrap_err();
        assert!(matches!(moved, CommitError::Moved(_)), "{}: {moved}", place.name());
        // What was read is the branch again: the same proposal fits.
        place.hosted.repository.bare(&["update-ref", MAIN, &ours.base]);
        let pushed = place.commit(ours).await.unwrap();
        assert_eq!(place.head(), pushed.commit);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_in_the_very_moment_of_ours_is_not_lost() {
    for place in Place::served().await {
        let repository = &place.hosted.repository;
        let ours = place.change("ours").await;
        repository.write(ACME, "theirs");
        repository.git(&["commit", "--quiet", "--all", "--message", "theirs"]);
        repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/theirs"]);
        let theirs = repository.git(&["rev-parse", "HEAD"]);
        // When this runs, the server has all of ours and has compared nothing yet.
        let race = format!(
            "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\ngit update-ref {MAIN} {theirs}"
        );
        repository.hook("pre-receive", &race);
        let moved = place.commit(ours).await.unwrap_err();
        assert!(matches!(moved, CommitError::Moved(_)), "{}: {moved}", place.name());
        assert_eq!(place.head(), theirs, "{}", place.name());
        repository.remove_hook("pre-receive");
        place.commit(place.change("ours").await).await.unwrap();
        assert_eq!(repository.bare(&["rev-parse", &format!("{MAIN}^")]), theirs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_commit_on_top_of_the_same_commit_one_does() {
    for place in Place::all().await {
        let base = place.head();
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let mirrors = place.hosted.scratch.path().join(number.to_string());
                let source = Source::git(GitConfig { mirrors, ..place.config.clone() }).unwrap();
                let ours = proposal(&base, &[(ACME, Some(&format!("from {number}")))]);
                tokio::spawn(async move { source.commit(ours).await })
            })
            .collect();
        let mut taken = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(pushed) => taken.push(pushed.commit),
                Err(error) => assert!(matches!(error, CommitError::Moved(_)), "{}: {error}", place.name()),
            }
        }
        assert_eq!(taken, [place.head()], "{}", place.name());
        assert_eq!(place.hosted.repository.bare(&["rev-parse", &format!("{MAIN}^")]), base);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_a_new_branch_and_never_an_old_one() {
    for place in Place::all().await {
        let branch = "refs/heads/partner-zones/acme";
        let ours = place.change("ours").await;
        // The branch that is followed may have moved on, or the mirror may be lost: neither matters here.
        let head = place.hosted.push("theirs");
        let place = place.with(|_| ());
        std::fs::remove_dir_all(place.hosted.scratch.path().join("mirrors")).unwrap_or_default();
        let pushed = place.commit(onto(branch, ours.clone())).await.unwrap();
        assert_eq!(pushed.reference, branch);
        let repository = &place.hosted.repository;
        assert_eq!(repository.bare(&["rev-parse", branch]), pushed.commit, "{}", place.name());
        assert_eq!(repository.bare(&["rev-parse", &format!("{branch}^")]), ours.base);
        assert_eq!(place.head(), head);

        let again = Proposal { message: "another".to_owned(), ..onto(branch, ours.clone()) };
        let exists = place.commit(again).await.unwrap_err();
        assert!(matches!(exists, CommitError::Exists(_)), "{}: {exists}", place.name());
        let followed = place.commit(onto(MAIN, ours)).await.unwrap_err();
        assert!(matches!(followed, CommitError::Exists(_)), "{followed}");
        assert_eq!(repository.bare(&["rev-parse", branch]), pushed.commit);
        repository.bare(&["fsck", "--strict", "--full"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_a_submodule_or_a_file() {
    for place in Place::all().await {
        let repository = &place.hosted.repository;
        std::os::unix::fs::symlink("/etc", repository.clone().join("zones/link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", repository.clone().join("zones/file.yaml")).unwrap();
        let module = format!("160000,{},zones/module", "1".repeat(40));
        repository.git(&["update-index", "--add", "--cacheinfo", &module]);
        repository.git(&["add", "zones/link", "zones/file.yaml"]);
        repository.git(&["commit", "--quiet", "--message", "links"]);
        repository.git(&["push", "--quiet", "origin", "main"]);
        let base = read(&place.source).await.unwrap().commit.unwrap().id;
        for path in [
            "zones/link/x.yaml",
            "zones/file.yaml",
            "zones/module/x.yaml",
            "zones/acme.yaml/x",
            "zones",
            "zones/module",
        ] {
            for content in [Some("x"), None] {
                let refused = place.commit(proposal(&base, &[(path, content)])).await.unwrap_err();
                assert!(matches!(refused, CommitError::Invalid(_)), "{path}: {refused}");
            }
        }
        for (path, content) in [("zones/none.yaml", None), (ACME, Some("one"))] {
            let refused = place.commit(proposal(&base, &[(path, content)])).await.unwrap_err();
            assert!(matches!(refused, CommitError::Invalid(_)), "{path} would change nothing: {refused}");
        }
        assert_eq!(place.head(), base);
    }
}
