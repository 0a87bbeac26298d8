package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"html/template"

	"floodgate/results/gate"
)

// download is a file that lies in the page.
type download struct {
	Name, Says string
	Href       template.URL
}

// downloads are the verdict and, where there is room, the run's record, both
// compressed; the note says what is missing.
func downloads(v *gate.Verdict, record []byte) (all []download, note string, err error) {
	var verdict bytes.Buffer
	if err := JSON(&verdict, v); err != nil {
		return nil, "", err
	}
	for _, f := range []struct {
		name, says string
		content    []byte
	}{
		{v.Run + ".verdict.json.gz", "the verdict with all its evidence", verdict.Bytes()},
		{v.Run + ".run.jsonl.gz", "the record of every trial", record},
	} {
		href, size, err := embedded(f.content)
		switch {
		case err != nil:
			return nil, "", err
		case f.content == nil:
			note = "The record of the trials is not in this page. "
		case size > maxDownload:
			note += fmt.Sprintf("%s is not in this page: it would take %s. ", capital(f.says), mebibytes(int64(size)))
		default:
			all = append(all, download{f.name, fmt.Sprintf("%s, %s", f.says, kibibytes(len(f.content))), href})
		}
	}
	return all, note, nil
}

// embedded is a data URI of content, compressed, and its size.
func embedded(content []byte) (template.URL, int, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", 0, err
	}
	if _, err := z.Write(content); err != nil {
		return "", 0, err
	}
	if err := z.Close(); err != nil {
		return "", 0, err
	}
	words := base64.StdEncoding.EncodeToString(packed.Bytes())
	return template.URL("data:application/gzip;base64," + words), len(words), nil // base64 has no character of meaning
}

func kibibytes(n int) string { return fmt.Sprintf("%.0f KiB before compression", float64(n)/1024) }

func capital(words string) string { return string(words[0]-'a'+'A') + words[1:] }
