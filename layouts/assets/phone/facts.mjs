// What the server told the page about its user: {login, name, role, unit, rights: {report, handle, position, command}}.

export const facts = JSON.parse(document.getElementById('phone-facts').textContent);
