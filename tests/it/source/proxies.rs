use std::process::Output;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{Hosted, SECRET, write};
use crate::support::git_https::{Conduct, GitHttps};

const ZONE: &str = "apiVersion: v2\nkind: PartnerZone\nmetadata: {name: acme}\nspec:\n  cluster: gateway\n  displayName: Acme\n  \
    authenticationMode: {type: PLAIN, serviceAccount: acme}\n  topics:\n    - {name: orders, backingTopic: o, permission: READ}\n";

/// An HTTP proxy that knows CONNECT alone; gives its address and the heads that it got.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                seen.lock().unwrap().push(head);
                let mut server = TcpStream::connect(target).await.unwrap();
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, heads)
}

/// `reconciler plan --offline` of the source that the configuration in `folder` names.
async fn plan(folder: &std::path::Path, variables: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reconciler"));
    command.args(["plan", "--offline"]).current_dir(folder).env_clear().envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_environment_is_used_unless_it_is_exempted() {
    let hosted = Hosted::new();
    hosted.push(ZONE);
    let server = GitHttps::start(&hosted.root()).await;
    server.behave(Conduct::Login("x-access-token".to_owned(), SECRET.to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let token = write(folder.path(), "token", SECRET);
    let config = format!(
        "source:\n  url: {}\n  auth: {{tokenFile: {}, caFile: {}}}\n",
        server.url("zones.git"),
        token.display(),
        server.ca_file().display()
    );
    write(folder.path(), "reconciler.yaml", &config);
    let (address, heads) = proxy().await;
    let address = format!("http://proxy-user:proxy-hunter2@{address}");

    let output = plan(folder.path(), &[("HTTPS_PROXY", &address)]).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("acme"), "{}", text(&output.stdout));
    let seen = std::mem::take(&mut *heads.lock().unwrap());
    assert!(!seen.is_empty());
    for head in seen {
        assert!(
            head.starts_with("CONNECT localhost:")
                && head.to_lowercase().contains("proxy-authorization: basic"),
            "{head}"
        );
        assert!(!head.contains(SECRET), "the token is for the server alone: {head}");
    }

    let output = plan(folder.path(), &[("HTTPS_PROXY", &address), ("NO_PROXY", "localhost")]).await;
    assert!(output.status.success());
    assert_eq!(heads.lock().unwrap().len(), 0);

    // A proxy that is down is said to be so, without its password.
    let down = "http://proxy-user:proxy-hunter2@127.0.0.1:1";
    let output = plan(folder.path(), &[("HTTPS_PROXY", down)]).await;
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(5) && !said.contains("hunter2"), "{said}");
}
