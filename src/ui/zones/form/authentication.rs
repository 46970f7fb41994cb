//! The third step: how the partner proves who it is.

use maud::{Markup, html};

use super::Filling;
use super::fields::{AUTHENTICATION, AUTHORITIES, ISSUER, SERVICE_ACCOUNT};
use super::sheet::Said;
use crate::ui::parts::{Entry, Field, Need, marked};

const KINDS: [(&str, &str); 4] = [
    ("PLAIN", "A user name and a secret that is made here and shown once; the client sends them over TLS."),
    ("SCRAM", "The same, but the secret itself never crosses the network."),
    ("OAUTHBEARER", "Short-lived tokens of an issuer that this installation trusts; no secret is made here."),
    ("MTLS", "A certificate of the partner's own, signed by an authority that is trusted for this zone."),
];

pub(super) fn show(filling: &Filling, said: &Said) -> Markup {
    let field = |place, label, help| filling.field(said, place, label, help);
    let error = said.wrong.at(AUTHENTICATION);
    let described = format!("{AUTHENTICATION}-help");
    html! {
        fieldset.card.stack id=(AUTHENTICATION) aria-describedby=[error.as_ref().map(|_| &described)] {
            legend { "How the partner proves who it is" }
            @if let Some(error) = &error { p.error id=(described) { (marked(error)) } }
            @for (kind, meaning) in KINDS { (choice(kind, meaning, filling.draft.text(AUTHENTICATION))) }
        }
        section.card.stack aria-labelledby="login-title" {
            h2 #login-title { "Login" }
            (Field { need: Need::Required, ..field(SERVICE_ACCOUNT, "Service account",
                "The user name; with OAUTHBEARER the token's subject, with MTLS the name that the certificate maps to.") }.show())
            (field(ISSUER, "Token issuer", "With OAUTHBEARER only: the issuer's name in the configuration. Empty: the first one.").show())
            (Field { entry: Entry::Lines, ..field(AUTHORITIES, "Authorities",
                "With MTLS only: the certificates that sign the partner's, in PEM form. Empty: the gateway's own authorities.") }.show())
        }
    }
}

fn choice(kind: &str, meaning: &str, chosen: &str) -> Markup {
    let id = format!("{AUTHENTICATION}-{kind}");
    html! {
        div.choice {
            input id=(id) type="radio" name=(AUTHENTICATION) value=(kind) checked[kind == chosen] aria-describedby={ (id) "-help" };
            div {
                label for=(id) { strong { (kind) } }
                p.help id={ (id) "-help" } { (meaning) }
            }
        }
    }
}
