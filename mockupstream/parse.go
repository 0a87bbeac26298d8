package mockupstream

import "floodgate/mockupstream/strictyaml"

// ParseProfile reads a profile in YAML and validates it. Its error is
// [strictyaml.Errors] about the file called name. Replay files are left unread;
// see Resolve.
func ParseProfile(name string, src []byte) (Profile, error) {
	var p Profile
	doc, err := strictyaml.Decode(name, src, &p, nil)
	if err != nil {
		return Profile{}, err
	}
	doc.Report(p.Validate())
	if err := doc.Err(); err != nil {
		return Profile{}, err
	}
	return p, nil
}
