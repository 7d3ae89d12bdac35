// A registry that holds one image and asks for a user and a password.
//
//	registry ADDRESS CREDENTIALS NAME:TAG FILE
//
// CREDENTIALS is a file with USER:PASSWORD, FILE an image as `image.py` makes it.
package main

import (
	"crypto/subtle"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("registry ADDRESS CREDENTIALS NAME:TAG FILE")
	}
	address, credentials, tag, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	wanted, err := os.ReadFile(credentials)
	check(err)
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	check(fill(images, tag, file))
	log.Fatal(http.ListenAndServe(address, asking(images, strings.TrimSpace(string(wanted)))))
}

// fill pushes the image, on a port that asks for nothing and is closed again.
func fill(images http.Handler, tag, file string) error {
	open := httptest.NewServer(images)
	defer open.Close()
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return err
	}
	where, err := name.ParseReference(open.Listener.Addr().String() + "/" + tag)
	if err != nil {
		return err
	}
	return remote.Write(where, image)
}

func asking(images http.Handler, wanted string) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		user, password, _ := request.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user+":"+password), []byte(wanted)) == 1 {
			images.ServeHTTP(answer, request)
			return
		}
		answer.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(answer, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
